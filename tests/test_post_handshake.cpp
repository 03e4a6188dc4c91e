// Alerts, KeyUpdates, tickets and everything else that comes beside application
// data: what is allowed does its work, what is not gets the alert that the RFCs name.
#include "engine/post_handshake.h"

#include <algorithm>

#include "tests/record_link.h"

namespace gaiter::engine {
namespace {

constexpr auto alert = ContentType::alert;
constexpr auto handshake = ContentType::handshake;

Data message(uint8_t type, const Data& body) {
  return Data{type, static_cast<uint8_t>(body.size() >> 16), static_cast<uint8_t>(body.size() >> 8),
              static_cast<uint8_t>(body.size())} +
         body;
}

Data ticket(size_t body = 200) { return message(4, pattern(body)); }
Data key_update(uint8_t request) { return message(24, {request}); }

// Seals `contents` as records of one type, one by one; what does the last lead to?
Received verdict(const Suite& suite, Role reader, ContentType type,
                 const std::vector<Data>& contents) {
  Link link(suite, reader);
  for (const Data& content : contents) link.arrive(link.sealed(type, content));
  Received received = link.receive_all();
  while (received.what == Receipt::refuse_renegotiation || received.what == Receipt::key_update)
    received = link.receive_all();
  return received;
}

void assert_fails(const Suite& suite, Role reader, ContentType type,
                  const std::vector<Data>& contents, Alert expected) {
  const Received received = verdict(suite, reader, type, contents);
  assert_what(received, Receipt::failed);
  assert_int_equal(static_cast<int>(received.alert), static_cast<int>(expected));
}

// The seal_key_update() of a link, as a record.
Data sealed_key_update(Link& link, bool request_peer) {
  Data record(max_seal_overhead + 5);
  record.resize(seal_key_update(link.write, request_peer, record.data()));
  return record;
}

void close_notify_closes(void**) {
  for (const Suite& suite : all_suites())
    for (const uint8_t level : {uint8_t{1}, uint8_t{2}}) {
      Link link(suite);
      link.arrive(link.sealed_data(pattern(100)));
      link.arrive(link.sealed(alert, {level, 0}));
      const Received received = link.receive_all();
      assert_what(received, Receipt::closed);
      assert_int_equal(received.delivered, 100);
      assert_equal(link.got, pattern(100));
    }
}

void alerts_are_told_or_ignored(void**) {
  for (const uint8_t level : {uint8_t{1}, uint8_t{2}})
    for (const uint8_t code : {uint8_t{10}, uint8_t{48}, uint8_t{116}, uint8_t{200}}) {
      // TLS 1.3: an error whatever the level says.
      Received received = verdict(tls13, Role::client, alert, {{level, code}});
      assert_what(received, Receipt::peer_alert);
      assert_int_equal(static_cast<int>(received.alert), code);
      received = verdict(tls12, Role::client, alert, {{level, code}});
      assert_what(received, level == 1 ? Receipt::need_input : Receipt::peer_alert);
    }
  assert_what(verdict(tls13, Role::server, alert, {{1, 90}}), Receipt::need_input);
  assert_what(verdict(tls13, Role::server, alert, {{2, 90}}), Receipt::need_input);
  assert_what(verdict(tls12, Role::server, alert, {{1, 90}}), Receipt::need_input);
  // But not for ever.
  for (const Suite& suite : {tls13, tls12})
    assert_what(verdict(suite, Role::server, alert, std::vector<Data>(33, {1, 90})), Receipt::idle);
}

void malformed_alerts_are_refused(void**) {
  for (const Suite& suite : {tls13, tls12}) {
    assert_fails(suite, Role::client, alert, {{}}, Alert::unexpected_message);
    assert_fails(suite, Role::client, alert, {{1}}, Alert::decode_error);
    assert_fails(suite, Role::client, alert, {{1, 0, 0}}, Alert::decode_error);
    assert_fails(suite, Role::client, alert, {Data(10000, 1)}, Alert::decode_error);
  }
  assert_fails(tls12, Role::client, alert, {{0, 10}}, Alert::illegal_parameter);
  assert_fails(tls12, Role::client, alert, {{3, 10}}, Alert::illegal_parameter);
}

void sends_alerts_of_the_right_level(void**) {
  Link link(tls12);
  for (const Alert mild : {Alert::close_notify, Alert::user_canceled, Alert::no_renegotiation}) {
    uint8_t out[max_seal_overhead + 2];
    const size_t length = seal_alert(link.write, mild, out);
    assert_true(length <= sizeof out);
    link.arrive(Data(out, out + length));
    assert_what(link.receive_all(),
                mild == Alert::close_notify ? Receipt::closed : Receipt::need_input);
  }
  uint8_t out[max_seal_overhead + 2];
  const size_t length = seal_alert(link.write, Alert::record_overflow, out);
  link.arrive(Data(out, out + length));
  const Received received = link.receive_all();
  assert_what(received, Receipt::peer_alert);
  assert_true(received.alert == Alert::record_overflow);
}

void key_updates_chain(void**) {
  for (const Suite& suite : all_suites()) {
    if (suite.version != Version::tls13) continue;
    for (const Role role : {Role::client, Role::server}) {
      Link link(suite, role);
      for (int i = 0; i != 300; ++i) {
        const uint64_t old_key = link.write.keys.key.id;
        link.arrive(link.sealed_data(pattern(20)));
        const Data record = sealed_key_update(link, i % 2 == 1);
        assert_int_equal(record.size(), 5 + 5 + 1 + 16);
        assert_int_equal(link.write.keys.sequence, 0);
        assert_int_not_equal(link.write.keys.key.id, old_key);
        link.arrive(record);
        link.arrive(link.sealed_data(pattern(30)));
        Received received = link.receive_all();
        if (i % 2 == 1) {
          assert_what(received, Receipt::key_update);
          assert_int_equal(received.delivered, 20);
          assert_int_equal(link.read.keys.sequence, 0);
          received = link.receive_all();
        }
        assert_what(received, Receipt::need_input);
        assert_equal(link.got, pattern(20) + pattern(30));
        link.got.clear();
        assert_memory_equal(link.read.keys.secret, link.write.keys.secret, 48);
      }
    }
  }
}

void idle_key_updates_are_counted(void**) {
  // A peer that only listens may change keys for ever, but it is the caller who says how fast.
  for (const bool asks : {false, true}) {
    Link link(tls13);
    for (int i = 0; i != 32; ++i) {
      link.arrive(sealed_key_update(link, asks));
      assert_what(link.receive_all(), asks ? Receipt::key_update : Receipt::need_input);
    }
    link.arrive(sealed_key_update(link, asks));
    assert_what(link.receive_all(), Receipt::idle);
    link.read.idle_records = 0;
    assert_what(link.receive_all(), asks ? Receipt::key_update : Receipt::need_input);
  }
}

void idle_tickets_and_pieces_are_counted(void**) {
  for (const bool in_pieces : {false, true}) {
    Link link(tls13);
    const Data whole = ticket();
    for (size_t i = 0; i != 33; ++i)
      link.arrive(link.sealed(handshake, in_pieces ? Data{whole[i]} : whole));
    assert_what(link.receive_all(), Receipt::idle);
    assert_int_equal(link.read.keys.sequence, 32);
  }
}

void key_update_is_due_at_the_limit(void**) {
  Link link(tls13);
  link.write.key_update_at = 3;
  for (int i = 0; i != 3; ++i) {
    assert_false(key_update_due(link.write));
    link.arrive(link.sealed_data({1}));
  }
  assert_true(key_update_due(link.write));
  link.arrive(sealed_key_update(link, false));
  assert_false(key_update_due(link.write));
  link.arrive(link.sealed_data({1}));
  assert_what(link.receive_all(), Receipt::need_input);
  assert_equal(link.got, {1, 1, 1, 1});

  Link old(tls12);
  old.write.keys.sequence = exhausted_sequence;
  assert_false(key_update_due(old.write));
  assert_int_equal(sealed_key_update(old, false).size(), 0);
}

void malformed_key_updates_are_refused(void**) {
  for (const Role role : {Role::client, Role::server}) {
    assert_fails(tls13, role, handshake, {key_update(2)}, Alert::illegal_parameter);
    assert_fails(tls13, role, handshake, {key_update(255)}, Alert::illegal_parameter);
    assert_fails(tls13, role, handshake, {message(24, {})}, Alert::decode_error);
    assert_fails(tls13, role, handshake, {message(24, {0, 0})}, Alert::decode_error);
    // Nothing may follow under the old key.
    assert_fails(tls13, role, handshake, {key_update(0) + key_update(0)},
                 Alert::unexpected_message);
    assert_fails(tls13, role, handshake, {key_update(0) + Data{24}}, Alert::unexpected_message);
    // Nor may a record sealed under it.
    assert_fails(tls13, role, handshake, {key_update(0), key_update(0)}, Alert::bad_record_mac);
  }
  assert_fails(tls12, Role::client, handshake, {key_update(0)}, Alert::unexpected_message);
}

void fragmented_key_update_works(void**) {
  for (size_t cut = 1; cut != 5; ++cut) {
    Link link(tls13, Role::server);
    const Data whole = key_update(1);
    const auto middle = whole.begin() + static_cast<std::ptrdiff_t>(cut);
    link.arrive(link.sealed(handshake, Data(whole.begin(), middle)));
    assert_what(link.receive_all(), Receipt::need_input);
    link.arrive(link.sealed(handshake, Data(middle, whole.end())));
    assert_what(link.receive_all(), Receipt::key_update);
    update_tls13(link.write.keys);
    link.arrive(link.sealed_data({7}));
    assert_what(link.receive_all(), Receipt::need_input);
    assert_equal(link.got, {7});
  }
}

void other_handshake_messages_are_refused(void**) {
  for (int type = 0; type != 256; ++type) {
    const Data one = message(static_cast<uint8_t>(type), pattern(50));
    const auto refused = [&](const Suite& suite, Role role) {
      assert_fails(suite, role, handshake, {one}, Alert::unexpected_message);
      // At once, not only when all of it came.
      assert_fails(suite, role, handshake, {{one[0]}}, Alert::unexpected_message);
    };
    if (type != 24) refused(tls13, Role::server);
    if (type != 24 && type != 4) refused(tls13, Role::client);
    if (type != 0) refused(tls12, Role::client);
    if (type != 1) refused(tls12, Role::server);
  }
  for (const Suite& suite : {tls13, tls12})
    assert_fails(suite, Role::client, handshake, {{}}, Alert::unexpected_message);
}

void nothing_comes_between_the_pieces_of_a_message(void**) {
  for (const ContentType type : {ContentType::application_data, alert}) {
    Link link(tls13);
    link.arrive(link.sealed(handshake, {4, 0, 0}));
    link.arrive(link.sealed(type, {1, 0}));
    const Received received = link.receive_all();
    assert_what(received, Receipt::failed);
    assert_true(received.alert == Alert::unexpected_message);
    assert_int_equal(received.delivered, 0);
  }
}

void renegotiation_is_refused_and_counted(void**) {
  const auto refused = [](Role role, const Data& request) {
    Link link(tls12, role);
    for (int i = 0; i != 100; ++i) {
      link.arrive(link.sealed_data({1}));
      link.arrive(link.sealed(handshake, request));
      assert_what(link.receive_all(), Receipt::refuse_renegotiation);
    }
    assert_int_equal(link.got.size(), 100);
    for (int i = 1; i != 32; ++i) {
      link.arrive(link.sealed(handshake, request));
      assert_what(link.receive_all(), Receipt::refuse_renegotiation);
    }
    link.arrive(link.sealed(handshake, request));
    assert_what(link.receive_all(), Receipt::idle);
  };
  refused(Role::client, message(0, {}));
  refused(Role::server, message(1, pattern(300)));
  assert_fails(tls12, Role::client, handshake, {message(0, {1})}, Alert::decode_error);

  // In pieces.
  Link link(tls12, Role::server);
  const Data hello = message(1, pattern(20));
  for (size_t i = 0; i + 1 != hello.size(); ++i) {
    link.arrive(link.sealed(handshake, {hello[i]}));
    assert_what(link.receive_all(), Receipt::need_input);
  }
  link.arrive(link.sealed(handshake, {hello.back()}));
  assert_what(link.receive_all(), Receipt::refuse_renegotiation);
}

// A TicketSink that keeps what it is given.
struct Kept {
  std::vector<Data> records;
  TicketSink sink() {
    return {[](void* self, const uint8_t* record, size_t length) {
              static_cast<Kept*>(self)->records.emplace_back(record, record + length);
            },
            this};
  }
};

void tickets_are_handed_on_as_they_came(void**) {
  for (const Suite& suite : all_suites()) {
    if (suite.version != Version::tls13) continue;
    for (const bool in_place : {false, true}) {
      Link link(suite);
      const std::vector<Data> sent{
          link.sealed(handshake, ticket()),
          link.sealed(handshake, ticket(14) + ticket(5000)),   // two in one record
          link.sealed_padded(handshake, ticket(), 900),        // padded
          link.sealed(handshake, {4, 0}),                      // in pieces
          link.sealed(handshake, Data{0, 100} + pattern(50)),  //
          link.sealed(handshake, pattern(50) + ticket()),      //
      };
      Kept kept;
      for (const Data& record : sent) {
        link.arrive(record);
        assert_what(in_place ? open_in_place(link.read, link.inbox, kept.sink())
                             : link.receive_all(kept.sink()),
                    Receipt::need_input);
      }
      assert_int_equal(kept.records.size(), sent.size());
      for (size_t i = 0; i != sent.size(); ++i) assert_equal(kept.records[i], sent[i]);
      assert_false(link.read.past_tickets);

      // Data ends it.
      link.arrive(link.sealed_data(pattern(5000)));
      link.arrive(link.sealed(handshake, ticket()));
      assert_what(link.receive_all(kept.sink()), Receipt::need_input);
      assert_equal(link.got, pattern(5000));
      assert_int_equal(kept.records.size(), sent.size());
      assert_true(link.read.past_tickets);
    }
  }
}

void other_records_end_the_tickets(void**) {
  for (const bool mixed : {false, true}) {
    Link link(tls13);
    Kept kept;
    if (mixed)
      link.arrive(link.sealed(handshake, ticket() + key_update(0)));
    else
      link.arrive(link.sealed(handshake, key_update(0)));
    update_tls13(link.write.keys);
    link.arrive(link.sealed(handshake, ticket()));
    assert_what(link.receive_all(kept.sink()), Receipt::need_input);
    assert_int_equal(kept.records.size(), 0);
    assert_true(link.read.past_tickets);
  }
}

void forged_tickets_are_not_handed_on(void**) {
  Link link(tls13);
  Kept kept;
  Data record = link.sealed(handshake, ticket());
  record.back() ^= 1;
  link.arrive(record);
  assert_what(link.receive_all(kept.sink()), Receipt::failed);
  assert_int_equal(kept.records.size(), 0);
}

void tickets_nobody_wants_are_skipped(void**) {
  // Large ones too, although at first they look like data; nothing of them stays.
  for (const size_t body : {14ul, 200ul, 3000ul, 16000ul})
    for (const size_t room : {1ul, 1700ul, 20000ul}) {
      Link link(tls13);
      link.arrive(link.sealed(handshake, ticket(body)));
      assert_what(link.receive_up_to(room), Receipt::need_input);
      assert_int_equal(link.got.size(), 0);
      for (const uint8_t byte : link.leftover) assert_true(byte == 0 || byte == 0xee);
      link.arrive(link.sealed_data(pattern(9)));
      assert_what(link.receive_all(), Receipt::need_input);
      assert_equal(link.got, pattern(9));
    }
}

void impossible_tickets_are_refused(void**) {
  assert_fails(tls13, Role::client, handshake, {ticket(13)}, Alert::decode_error);
  assert_fails(tls13, Role::client, handshake, {{4, 0xff, 0xff, 0xff}}, Alert::decode_error);
  assert_what(verdict(tls13, Role::client, handshake, {{4, 2, 0, 0}}), Receipt::need_input);
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(close_notify_closes),
      cmocka_unit_test(alerts_are_told_or_ignored),
      cmocka_unit_test(malformed_alerts_are_refused),
      cmocka_unit_test(sends_alerts_of_the_right_level),
      cmocka_unit_test(key_updates_chain),
      cmocka_unit_test(idle_key_updates_are_counted),
      cmocka_unit_test(idle_tickets_and_pieces_are_counted),
      cmocka_unit_test(key_update_is_due_at_the_limit),
      cmocka_unit_test(malformed_key_updates_are_refused),
      cmocka_unit_test(fragmented_key_update_works),
      cmocka_unit_test(other_handshake_messages_are_refused),
      cmocka_unit_test(nothing_comes_between_the_pieces_of_a_message),
      cmocka_unit_test(renegotiation_is_refused_and_counted),
      cmocka_unit_test(tickets_are_handed_on_as_they_came),
      cmocka_unit_test(other_records_end_the_tickets),
      cmocka_unit_test(forged_tickets_are_not_handed_on),
      cmocka_unit_test(tickets_nobody_wants_are_skipped),
      cmocka_unit_test(impossible_tickets_are_refused),
  };
  return cmocka_run_group_tests_name("post_handshake", tests, nullptr, nullptr);
}
