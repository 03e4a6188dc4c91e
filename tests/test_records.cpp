// Application data through seal() and receive(): every suite, size and shape of
// buffer, and everything that may lie between.
#include "engine/records.h"

#include <algorithm>
#include <random>

#include "tests/record_link.h"

namespace gaiter::engine {
namespace {

void assert_nothing_left(const Link& link) {
  assert_true(link.inbox.drained());
  assert_int_equal(link.inbox.cipher_at, 0);
  assert_int_equal(link.inbox.plain_at, 0);
}

Data hex(const char* text) {
  Data out;
  for (; *text != '\0'; text += 2)
    out.push_back(static_cast<uint8_t>(std::stoi(std::string(text, 2), nullptr, 16)));
  return out;
}

void seals_the_records_of_rfc_8448(void**) {
  // RFC 8448 3: the client's data and alert, then the server's (its first record
  // was a ticket).
  struct Trace {
    const char *secret, *data, *alert;
    uint64_t sequence;
  };
  for (const Trace& trace :
       {Trace{"9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
              "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd5"
              "4a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4",
              "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3", 0},
        Trace{"a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
              "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc60"
              "2dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d",
              "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9", 1}}) {
    Link link(tls13);
    for (DirectionState* keys : {&link.write.keys, &link.read.keys}) {
      derive_tls13(*keys, Cipher::aes_128_gcm, BackEnd::openssl, Hash::sha256, hex(trace.secret));
      keys->sequence = trace.sequence;
    }
    Data payload(50);
    for (size_t i = 0; i != payload.size(); ++i) payload[i] = static_cast<uint8_t>(i);
    const Data data = link.sealed_data(payload);
    assert_equal(data, hex(trace.data));
    uint8_t alert[max_seal_overhead + 2];
    const size_t length = seal_alert(link.write, Alert::close_notify, alert);
    assert_equal(Data(alert, alert + length), hex(trace.alert));

    link.arrive(data + hex(trace.alert));
    assert_what(link.receive_all(), Receipt::closed);
    assert_equal(link.got, payload);
  }
}

void carries_every_size(void**) {
  for (const Suite& suite : all_suites()) {
    Link link(suite);
    for (size_t size = 0; size <= max_plaintext; size += size < 1100    ? 1
                                                         : size < 16000 ? 379
                                                                        : 32) {
      const Data content = pattern(size, size);
      const Data record = link.sealed_data(content);
      assert_true(record.size() <= size + max_seal_overhead);
      link.arrive(record);
      assert_true(has_whole_record(link.inbox));
      link.got.clear();
      const Received received = link.receive_all();
      assert_what(received, Receipt::need_input);
      assert_int_equal(received.delivered, size);
      assert_equal(link.got, content);
      assert_nothing_left(link);
    }
  }
}

void fills_sinks_of_every_size(void**) {
  for (const Suite& suite : all_suites())
    for (const size_t room : {1ul, 2ul, 3ul, 7ul, 511ul, 1023ul, 1024ul, 1025ul, 4096ul, 16383ul,
                              16384ul, 16385ul, 40000ul}) {
      Link link(suite);
      const Data sent = pattern(room < 100 ? 1200 : 40000);
      for (size_t at = 0, size = 1; at != sent.size(); size = size * 3 + 1) {
        const size_t step = std::min({size, sent.size() - at, max_plaintext});
        const auto from = sent.begin() + static_cast<std::ptrdiff_t>(at);
        link.arrive(link.sealed_data(Data(from, from + static_cast<std::ptrdiff_t>(step))));
        at += step;
      }
      while (link.got.size() != sent.size()) {
        const size_t before = link.got.size();
        const Received received = link.receive_up_to(room);
        assert_int_equal(received.delivered, std::min(room, sent.size() - before));
        assert_what(received,
                    received.delivered == room ? Receipt::sink_full : Receipt::need_input);
      }
      assert_equal(link.got, sent);
      assert_nothing_left(link);
      assert_what(link.receive_up_to(room), Receipt::need_input);
      assert_what(link.receive_up_to(0), Receipt::sink_full);
    }
}

void scatters_and_gathers(void**) {
  std::mt19937 random(8446);
  for (const Suite& suite : all_suites()) {
    Link link(suite);
    for (int round = 0; round != 60; ++round) {
      const Data content = pattern(random() % (max_plaintext + 1), random());
      const auto cut = [&random](Data& buffer) {
        std::vector<iovec> pieces;
        for (size_t at = 0; at != buffer.size();) {
          const size_t step =
              std::min<size_t>(random() % (random() % 4 == 0 ? 5000 : 40), buffer.size() - at);
          pieces.push_back({buffer.data() + at, step});
          at += step;
        }
        return pieces;
      };
      Data source = content;
      const auto source_pieces = cut(source);
      IovCursor from(source_pieces.data(), source_pieces.size());
      Data record(sealed_length(link.write, content.size()));
      const size_t sealed =
          seal(link.write, ContentType::application_data, from, content.size(), record.data());
      assert_int_equal(sealed, record.size());
      assert_true(from.empty());

      link.arrive(record);
      Data sink(content.size() + 1);
      const auto sink_pieces = cut(sink);
      IovCursor to(sink_pieces.data(), sink_pieces.size());
      const Received received = receive(link.read, link.inbox, to);
      assert_what(received, Receipt::need_input);
      assert_int_equal(received.delivered, content.size());
      assert_int_equal(to.remaining(), 1);
      sink.pop_back();
      assert_equal(sink, content);
    }
  }
}

void seals_in_place(void**) {
  for (const Suite& suite : all_suites()) {
    Link link(suite);
    const Data content = pattern(5000);
    Data record(sealed_length(link.write, content.size()));
    uint8_t* const place = record.data() + plaintext_offset(link.write);
    std::copy(content.begin(), content.end(), place);
    const iovec piece{place, content.size()};
    IovCursor from(&piece, 1);
    assert_int_equal(
        seal(link.write, ContentType::application_data, from, content.size(), record.data()),
        record.size());
    link.arrive(record);
    assert_what(link.receive_all(), Receipt::need_input);
    assert_equal(link.got, content);
  }
}

void waits_for_whole_records(void**) {
  for (const Suite& suite : all_suites()) {
    Link link(suite);
    const Data content = pattern(700);
    const Data record = link.sealed_data(content);
    for (size_t i = 0; i != record.size(); ++i) {
      assert_false(has_whole_record(link.inbox));
      assert_int_equal(missing_bytes(link.inbox), i < 5 ? 5 - i : record.size() - i);
      assert_what(link.receive_all(), Receipt::need_input);
      assert_what(open_in_place(link.read, link.inbox), Receipt::need_input);
      assert_int_equal(link.got.size(), 0);
      link.arrive({record[i]});
    }
    assert_int_equal(missing_bytes(link.inbox), 0);
    assert_what(link.receive_all(), Receipt::need_input);
    assert_equal(link.got, content);
  }
}

void removes_padding(void**) {
  for (const size_t size : {0ul, 1ul, 100ul, 1023ul, 1100ul, 5000ul, 16000ul})
    for (const size_t padding : {1ul, 2ul, 1022ul, 1100ul, 5000ul, 16000ul})
      for (const size_t room : {1ul, 1024ul, 1100ul, 5000ul, 20000ul}) {
        if (size + padding > max_plaintext) continue;
        Link link(tls13);
        const Data content = pattern(size) + Data(size == 0 ? 0 : 1, 0);  // a 0 of its own
        link.arrive(link.sealed_padded(ContentType::application_data, content, padding));
        Received received = link.receive_up_to(room);
        while (received.what == Receipt::sink_full) received = link.receive_up_to(room);
        assert_what(received, Receipt::need_input);
        assert_equal(link.got, content);
        assert_nothing_left(link);
      }
}

void opens_in_place_to_tell_what_can_be_read(void**) {
  for (const Suite& suite : all_suites()) {
    Link link(suite);
    assert_what(open_in_place(link.read, link.inbox), Receipt::need_input);
    for (const size_t size : {0ul, 3000ul, 10ul}) link.arrive(link.sealed_data(pattern(size)));
    for (int again = 0; again != 3; ++again) {
      assert_what(open_in_place(link.read, link.inbox), Receipt::sink_full);
      assert_int_equal(link.inbox.plain_length, 3000);
      const Data expected = pattern(3000);
      assert_memory_equal(link.inbox.data + link.inbox.plain_at, expected.data(), 3000);
    }
    assert_what(link.receive_up_to(2990), Receipt::sink_full);
    assert_what(open_in_place(link.read, link.inbox), Receipt::sink_full);
    assert_int_equal(link.inbox.plain_length, 10);
    assert_what(link.receive_all(), Receipt::need_input);
    assert_equal(link.got, pattern(3000) + pattern(10));
    assert_nothing_left(link);
  }
}

// Everything that a peer may lawfully send, in any order, arriving in pieces of any
// size, read through any buffers: what is delivered is what was sent.
void carries_a_random_stream(void**) {
  std::mt19937 random(6520);
  for (const Suite& suite : all_suites())
    for (int round = 0; round != 20; ++round) {
      const bool is_tls13 = suite.version == Version::tls13;
      Link link(suite, Role::client);
      Data sent, wire;
      for (int records = 0; records != 40; ++records) {
        const Data content =
            pattern(random() % 8 == 0 ? random() % 16000 : random() % 1500, random());
        const auto kind = random() % 8;
        if (kind == 0 && is_tls13) {
          Data update(max_seal_overhead + 5);
          update.resize(seal_key_update(link.write, random() % 2 == 0, update.data()));
          wire = wire + update;
        } else if (kind == 1 && is_tls13) {
          const Data ticket = Data{4, 0, 4, 0} + pattern(1024);
          wire = wire + link.sealed(ContentType::handshake, ticket);
        } else if (kind == 2) {
          wire = wire + link.sealed(ContentType::alert, {1, 90});
        } else if (kind == 3 && is_tls13 && content.size() < 10000) {
          const size_t padding = 1 + random() % 5000;
          wire = wire + link.sealed_padded(ContentType::application_data, content, padding);
          sent = sent + content;
        } else {
          wire = wire + link.sealed_data(content);
          sent = sent + content;
        }
      }
      for (size_t at = 0; at != wire.size();) {
        const size_t step = std::min<size_t>(1 + random() % 20000, wire.size() - at);
        const auto from = wire.begin() + static_cast<std::ptrdiff_t>(at);
        link.arrive(Data(from, from + static_cast<std::ptrdiff_t>(step)));
        at += step;
        for (Receipt what = Receipt::sink_full; what != Receipt::need_input;) {
          if (random() % 3 == 0) {
            what = open_in_place(link.read, link.inbox).what;
            assert_true((what == Receipt::sink_full) == (link.inbox.plain_length != 0));
          } else {
            what = link.receive_up_to(1 + random() % (random() % 2 == 0 ? 50 : 30000)).what;
          }
          assert_true(what == Receipt::need_input || what == Receipt::sink_full ||
                      what == Receipt::key_update || what == Receipt::idle);
          if (what == Receipt::idle) link.read.idle_records = link.read.idle_in_call = 0;
        }
      }
      assert_equal(link.got, sent);
      assert_nothing_left(link);
    }
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(seals_the_records_of_rfc_8448),
      cmocka_unit_test(carries_every_size),
      cmocka_unit_test(fills_sinks_of_every_size),
      cmocka_unit_test(scatters_and_gathers),
      cmocka_unit_test(seals_in_place),
      cmocka_unit_test(waits_for_whole_records),
      cmocka_unit_test(removes_padding),
      cmocka_unit_test(opens_in_place_to_tell_what_can_be_read),
      cmocka_unit_test(carries_a_random_stream),
  };
  return cmocka_run_group_tests_name("records", tests, nullptr, nullptr);
}
