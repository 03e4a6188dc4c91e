// The handshake against a plain OpenSSL peer and against itself: every suite,
// the hand-over, and how bytes arrive.
#include "engine/handshake.h"

#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

// ---- suites and the hand-over ----

struct Suite {
  int version;
  const char* openssl_name;
  const char* standard_name;
  bool rsa;
};

constexpr Suite suites[] = {
    {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", false},
    {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", true},
    {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", false},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
     false},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
     false},
    {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305",
     "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", false},
    {TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", true},
    {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true},
    {TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
     true},
};

void must_be_suite(const Summary& summary, const Suite& suite) {
  assert_int_equal(static_cast<int>(summary.version), suite.version);
  assert_string_equal(summary.suite, suite.standard_name);
  assert_false(summary.resumed);
}

void client_talks_in_every_suite(void**) {
  const ContextRef ours = context(Ours{});
  for (const Suite& suite : suites) {
    const ContextPtr theirs =
        foreign_context({.version = suite.version,
                         .suite = suite.openssl_name,
                         .identity = suite.rsa ? &world().rsa_server : &world().server});
    ForeignPeer peer(theirs.get());
    // A name of its own: no session of another suite is offered.
    const auto handshake = Handshake::start(ours, "server.example", suite.openssl_name);
    Secured secured = secure(*handshake, peer);
    must_be_suite(secured.summary, suite);
    assert_string_equal(secured.summary.peer.c_str(), "server.example");
    assert_true((secured.tickets != nullptr) == (suite.version == TLS1_3_VERSION));
    must_talk(secured, peer);
  }
}

void server_talks_in_every_suite(void**) {
  for (const Suite& suite : suites) {
    const ContextRef ours =
        server_context(PeerCertificate::none, suite.rsa ? &world().rsa_server : &world().server);
    const ContextPtr theirs = foreign_context({.role = Role::client,
                                               .version = suite.version,
                                               .suite = suite.openssl_name,
                                               .trusts = &world().ca});
    ForeignPeer peer(theirs.get());
    const auto handshake = start(ours, "");
    Secured secured = secure(*handshake, peer);
    must_be_suite(secured.summary, suite);
    assert_string_equal(secured.summary.peer.c_str(), "");
    assert_true(secured.tickets == nullptr);
    assert_true(secured.deferred.empty() == (suite.version == TLS1_2_VERSION));
    must_talk(secured, peer);
  }
}

void a_hello_may_be_retried(void**) {
  // The peer has no use for the key share in the first ClientHello (RFC 8446 4.1.4).
  const ContextPtr their_server =
      foreign_context({.version = TLS1_3_VERSION, .identity = &world().server});
  SSL_CTX_set1_groups_list(their_server.get(), "P-384");
  ForeignPeer server(their_server.get());
  const auto at_client = start(context(Ours{}));
  Secured secured = secure(*at_client, server);
  must_talk(secured, server);

  const ContextPtr their_client = foreign_context({.role = Role::client});
  SSL_CTX_set1_groups_list(their_client.get(), "P-521:P-384");
  ForeignPeer client(their_client.get());
  const auto at_server = start(server_context(), "");
  secured = secure(*at_server, client);
  must_talk(secured, client);
}

void peer_can_talk_first(void**) {
  // A server's deferred tickets may wait while the client's data is read.
  const ContextRef ours = server_context();
  const ContextPtr theirs = foreign_context({.role = Role::client});
  ForeignPeer peer(theirs.get());
  const auto handshake = start(ours, "");
  Secured secured = secure(*handshake, peer);
  assert_string_equal(opened(secured.read, peer.written("hello")).text.c_str(), "hello");
  peer.give(secured.deferred);
  peer.give(sealed(secured.write, "hi"));
  assert_string_equal(peer.read().c_str(), "hi");
}

// Both ends Gaiter. The client's last flight may end the server's handshake.
struct Pair {
  Secured client, server;
};

Pair secure_pair(const ContextRef& client_context, const ContextRef& server_context) {
  const auto client = start(client_context);
  const auto server = start(server_context, "");
  Step from_client = advance(*client, {});
  Step from_server = advance(*server, from_client.output);
  for (int round = 0; round < 3; ++round) {
    from_client = advance(*client, from_server.output);
    if (from_client.output.empty()) break;
    from_server = advance(*server, from_client.output);
  }
  must_be(*client, from_client.state, Handshake::State::done);
  must_be(*server, from_server.state, Handshake::State::done);
  return {client->take(), server->take()};
}

void both_ends_can_be_ours(void**) {
  const ContextRef client = context(Ours{});
  const ContextRef server = server_context();
  for (int i = 0; i < 3; ++i) {
    Pair pair = secure_pair(client, server);
    assert_int_equal(pair.client.summary.resumed, i != 0);
    assert_int_equal(pair.server.summary.resumed, i != 0);
    Data stream = pair.server.deferred;
    const Data record = sealed(pair.server.write, "from the server");
    stream.insert(stream.end(), record.begin(), record.end());
    assert_string_equal(opened(pair.client.read, stream, pair.client.tickets.get()).text.c_str(),
                        "from the server");
    assert_string_equal(
        opened(pair.server.read, sealed(pair.client.write, "from the client")).text.c_str(),
        "from the client");
  }
}

// ---- how bytes arrive ----

void bytes_may_come_one_at_a_time(void**) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    for (const Role role : {Role::client, Role::server}) {
      const ContextRef ours = role == Role::client ? context(Ours{}) : server_context();
      const ContextPtr theirs =
          foreign_context({.role = role == Role::client ? Role::server : Role::client,
                           .version = version,
                           .identity = role == Role::client ? &world().server : nullptr});
      ForeignPeer peer(theirs.get());
      const auto handshake = start(ours);
      Data waiting;
      Step step = advance(*handshake, {});
      while (step.state == Handshake::State::going_on) {
        const Data flight = peer.exchange(step.output);
        assert_false(flight.empty());
        step.output.clear();
        for (const uint8_t byte : flight) {
          assert_int_equal(static_cast<int>(step.state),
                           static_cast<int>(Handshake::State::going_on));
          waiting.push_back(byte);
          const size_t before = waiting.size();
          Step next = advance(*handshake, waiting);
          // All or nothing of a record.
          assert_true(next.rest.size() == before || next.rest.empty());
          waiting = next.rest;
          step.state = next.state;
          step.output.insert(step.output.end(), next.output.begin(), next.output.end());
        }
      }
      must_be(*handshake, step.state, Handshake::State::done);
      assert_true(waiting.empty());
      peer.exchange(step.output);
      Secured secured = handshake->take();
      must_talk(secured, peer);
    }
  }
}

void data_right_behind_the_last_message_is_left(void**) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    const ContextRef ours = server_context();
    const ContextPtr theirs = foreign_context({.role = Role::client, .version = version});
    ForeignPeer peer(theirs.get());
    const auto handshake = start(ours, "");
    Step step = advance(*handshake, peer.exchange({}));
    Data last = peer.exchange(step.output);
    if (version == TLS1_2_VERSION) {
      // Here the client hears of the end last: the server's is in the answer.
      const Step end = advance(*handshake, last);
      peer.exchange(end.output);
      last.clear();
      step = end;
    }
    const Data early = peer.written("early");
    const size_t expected_rest = early.size() + 3;
    last.insert(last.end(), early.begin(), early.end());
    last.insert(last.end(), {23, 3, 3});
    step = advance(*handshake, last);
    must_be(*handshake, step.state, Handshake::State::done);
    assert_int_equal(step.rest.size(), expected_rest);
    step.rest.resize(early.size());
    Secured secured = handshake->take();
    assert_string_equal(opened(secured.read, step.rest).text.c_str(), "early");
  }
  // A TLS 1.2 client gets the server's Finished and its data at once.
  const ContextRef ours = context(Ours{});
  const ContextPtr theirs =
      foreign_context({.version = TLS1_2_VERSION, .identity = &world().server});
  ForeignPeer peer(theirs.get());
  const auto handshake = start(ours);
  Step step = advance(*handshake, peer.exchange(advance(*handshake, {}).output));
  Data last = peer.exchange(step.output);
  const Data early = peer.written("early");
  last.insert(last.end(), early.begin(), early.end());
  step = advance(*handshake, last);
  must_be(*handshake, step.state, Handshake::State::done);
  assert_int_equal(step.rest.size(), early.size());
  Secured secured = handshake->take();
  assert_string_equal(opened(secured.read, step.rest).text.c_str(), "early");
}

// The same handshake messages in other records (RFC 8446 5.1).
Data reframed(const Data& records, size_t piece) {
  Data body, out;
  for (size_t at = 0; at < records.size();) {
    const size_t length = static_cast<size_t>(records[at + 3] << 8 | records[at + 4]);
    assert_int_equal(records[at], 22);
    body.insert(body.end(), records.begin() + static_cast<long>(at + 5),
                records.begin() + static_cast<long>(at + 5 + length));
    at += 5 + length;
  }
  for (size_t at = 0; at < body.size(); at += piece) {
    const size_t length = std::min(piece, body.size() - at);
    out.insert(out.end(),
               {22, 3, 3, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)});
    out.insert(out.end(), body.begin() + static_cast<long>(at),
               body.begin() + static_cast<long>(at + length));
  }
  return out;
}

void messages_may_be_split_or_coalesced(void**) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100}, size_t{16000}}) {
    const ContextRef server = server_context();
    const ContextPtr client_end = foreign_context({.role = Role::client});
    ForeignPeer client(client_end.get());
    const auto at_server = start(server, "");
    Step step = advance(*at_server, reframed(client.exchange({}), piece));
    step = advance(*at_server, client.exchange(step.output));
    must_be(*at_server, step.state, Handshake::State::done);

    const ContextPtr server_end =
        foreign_context({.version = TLS1_2_VERSION, .identity = &world().server});
    ForeignPeer peer(server_end.get());
    const auto at_client = start(context(Ours{}));
    step = advance(*at_client, reframed(peer.exchange(advance(*at_client, {}).output), piece));
    step = advance(*at_client, peer.exchange(step.output));
    must_be(*at_client, step.state, Handshake::State::done);
  }
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(client_talks_in_every_suite),
      cmocka_unit_test(server_talks_in_every_suite),
      cmocka_unit_test(a_hello_may_be_retried),
      cmocka_unit_test(peer_can_talk_first),
      cmocka_unit_test(both_ends_can_be_ours),
      cmocka_unit_test(bytes_may_come_one_at_a_time),
      cmocka_unit_test(data_right_behind_the_last_message_is_left),
      cmocka_unit_test(messages_may_be_split_or_coalesced),
  };
  return cmocka_run_group_tests_name("handshake", tests, nullptr, nullptr);
}
