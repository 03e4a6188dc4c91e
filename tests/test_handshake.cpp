// The handshake against a plain OpenSSL peer and against itself: every suite,
// client authentication, the hand-over, how bytes arrive, and why it may fail.
#include "engine/handshake.h"

#include <csetjmp>
#include <cstdarg>
#include <random>

#include "tests/tls_peer.h"

extern "C" {
#include <cmocka.h>
}

namespace gaiter::engine {
namespace {

struct World {
  Issued ca = issue({.common_name = "Test CA", .names = "", .is_ca = true});
  Issued other_ca = issue({.common_name = "Other CA", .names = "", .is_ca = true});
  Issued server = issue({.common_name = "cn.example",
                         .names = "DNS:server.example,DNS:*.wild.example,IP:10.0.0.1,IP:::1"},
                        &ca);
  Issued rsa_server =
      issue({.common_name = "rsa", .names = "DNS:server.example", .key_type = "RSA"}, &ca);
  Issued client = issue({.common_name = "client-7", .names = ""}, &ca);
  Issued stranger = issue({.common_name = "stranger", .names = ""}, &other_ca);
};

const World& world() {
  static const World* const made = new World;
  return *made;
}

using ContextRef = std::shared_ptr<const Context>;

struct Ours {
  Role role = Role::client;
  const Issued* identity = nullptr;
  const Issued* trusts = &world().ca;
  PeerCheck verify = PeerCheck::full;
  PeerCertificate client_auth = PeerCertificate::none;
  Version min_version = Version::tls12;
};

ContextRef context(const Ours& ours) {
  ContextSettings settings;
  settings.role = ours.role;
  settings.min_version = ours.min_version;
  settings.client_auth = ours.client_auth;
  settings.verify = ours.verify;
  if (ours.identity != nullptr) settings.identity = identity_of(*ours.identity);
  if (ours.trusts != nullptr) settings.trust = trusting({ours.trusts});
  settings.session_scope = "a test";
  auto made = Context::make(std::move(settings));
  if (!made) print_error("%s\n", made.error().reason.c_str());
  assert_true(made.has_value());
  return *made;
}

ContextRef server_context(PeerCertificate client_auth = PeerCertificate::none,
                          const Issued* identity = nullptr) {
  return context({.role = Role::server,
                  .identity = identity != nullptr ? identity : &world().server,
                  .client_auth = client_auth});
}

std::unique_ptr<Handshake> start(const ContextRef& with,
                                 const std::string& name = "server.example") {
  return Handshake::start(with, name, "key");
}

// What advance() did with `input`: what is left of it, and what it answers.
struct Step {
  Handshake::State state;
  Data rest;
  Data output;
};

Step advance(Handshake& handshake, const Data& input) {
  std::span<const uint8_t> left(input);
  Step step;
  step.state = handshake.advance(left, step.output);
  step.rest.assign(left.begin(), left.end());
  return step;
}

void must_be(const Handshake& handshake, Handshake::State actual, Handshake::State expected) {
  if (actual == Handshake::State::failed && expected != actual)
    print_error("%s\n", handshake.failure().reason.c_str());
  assert_int_equal(static_cast<int>(actual), static_cast<int>(expected));
}

// Runs ours against a foreign peer as far as it goes. Bytes that ours left are
// in `rest`.
Step run(Handshake& ours, ForeignPeer& peer) {
  Step step = advance(ours, {});
  for (int round = 0; round < 10; ++round) {
    const Data answer = peer.exchange(step.output);
    if (step.state != Handshake::State::going_on && answer.empty()) break;
    const Data input = [&] {
      Data all = step.rest;
      all.insert(all.end(), answer.begin(), answer.end());
      return all;
    }();
    step = advance(ours, input);
  }
  return step;
}

Secured secure(Handshake& ours, ForeignPeer& peer) {
  const Step step = run(ours, peer);
  must_be(ours, step.state, Handshake::State::done);
  assert_true(step.rest.empty());
  assert_int_equal(SSL_is_init_finished(peer.ssl), 1);
  return ours.take();
}

void must_talk(Secured& ours, ForeignPeer& peer) {
  peer.give(ours.deferred);
  ours.deferred.clear();
  for (int i = 0; i < 3; ++i) {
    const std::string there = "there " + std::to_string(i), back = "back " + std::to_string(i);
    peer.give(sealed(ours.write, there));
    assert_string_equal(peer.read().c_str(), there.c_str());
    assert_string_equal(opened(ours.read, peer.written(back), ours.tickets.get()).text.c_str(),
                        back.c_str());
  }
}

void must_fail(Handshake& ours, Handshake::State state, Cause cause, const char* words) {
  must_be(ours, state, Handshake::State::failed);
  const Failure& failure = ours.failure();
  if (failure.cause != cause || failure.reason.find(words) == std::string::npos)
    print_error("cause %d: %s\n", static_cast<int>(failure.cause), failure.reason.c_str());
  assert_int_equal(static_cast<int>(failure.cause), static_cast<int>(cause));
  assert_true(failure.reason.find(words) != std::string::npos);
}

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
  const ContextRef ours = context({});
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
  const ContextRef client = context({});
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
      const ContextRef ours = role == Role::client ? context({}) : server_context();
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
  const ContextRef ours = context({});
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
    const auto at_client = start(context({}));
    step = advance(*at_client, reframed(peer.exchange(advance(*at_client, {}).output), piece));
    step = advance(*at_client, peer.exchange(step.output));
    must_be(*at_client, step.state, Handshake::State::done);
  }
}

// ---- client authentication ----

void client_certificates(void**) {
  const struct {
    PeerCertificate asked;
    const Issued* shown;
    bool good;
    Cause cause;
    const char* words;
    int alert12, alert13;
  } cases[] = {
      {PeerCertificate::none, nullptr, true, {}, "", 0, 0},
      {PeerCertificate::none, &world().client, true, {}, "", 0, 0},
      {PeerCertificate::optional, nullptr, true, {}, "", 0, 0},
      {PeerCertificate::optional, &world().client, true, {}, "", 0, 0},
      {PeerCertificate::optional, &world().stranger, false, Cause::untrusted, "CN=stranger",
       SSL_AD_UNKNOWN_CA, SSL_AD_UNKNOWN_CA},
      {PeerCertificate::required, &world().client, true, {}, "", 0, 0},
      {PeerCertificate::required, &world().stranger, false, Cause::untrusted, "CN=stranger",
       SSL_AD_UNKNOWN_CA, SSL_AD_UNKNOWN_CA},
      {PeerCertificate::required, nullptr, false, Cause::no_certificate, "no certificate",
       SSL_AD_HANDSHAKE_FAILURE, SSL_AD_CERTIFICATE_REQUIRED},
  };
  for (const auto& one : cases) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const ContextRef ours = server_context(one.asked);
      const ContextPtr theirs =
          foreign_context({.role = Role::client, .version = version, .identity = one.shown});
      ForeignPeer peer(theirs.get());
      const auto handshake = start(ours, "");
      if (one.good) {
        Secured secured = secure(*handshake, peer);
        const bool seen = one.asked != PeerCertificate::none && one.shown != nullptr;
        assert_string_equal(secured.summary.peer.c_str(), seen ? "CN=client-7" : "");
        must_talk(secured, peer);
      } else {
        const Step step = run(*handshake, peer);
        must_fail(*handshake, step.state, one.cause, one.words);
        peer.read();
        assert_int_equal(peer.alert, version == TLS1_2_VERSION ? one.alert12 : one.alert13);
      }
    }
  }
}

void our_client_shows_its_certificate(void**) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const ContextRef ours = context({.identity = &world().client});
    const ContextPtr theirs =
        foreign_context({.version = version, .identity = &world().server, .trusts = &world().ca});
    ForeignPeer peer(theirs.get());
    const auto handshake = start(ours);
    Secured secured = secure(*handshake, peer);
    assert_non_null(SSL_get0_peer_certificate(peer.ssl));
    must_talk(secured, peer);
  }
}

void server_tells_which_authorities_it_trusts(void**) {
  const ContextRef ours = server_context(PeerCertificate::optional);
  const ContextPtr theirs = foreign_context({.role = Role::client});
  ForeignPeer peer(theirs.get());
  const auto handshake = start(ours, "");
  secure(*handshake, peer);
  const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(peer.ssl);
  assert_int_equal(sk_X509_NAME_num(names), 1);
  assert_int_equal(X509_NAME_cmp(sk_X509_NAME_value(names, 0),
                                 X509_get_subject_name(world().ca.certificate.get())),
                   0);
}

// ---- names and chains ----

// Our client against a server with `shown`.
struct Attempt {
  std::unique_ptr<Handshake> handshake;
  Handshake::State state;
  int alert;
};

Attempt attempt(const ContextRef& ours, const std::string& name, const Issued& shown,
                int version = 0) {
  const ContextPtr theirs = foreign_context({.version = version, .identity = &shown});
  ForeignPeer peer(theirs.get());
  auto handshake = start(ours, name);
  const Step step = run(*handshake, peer);
  if (step.state == Handshake::State::failed) peer.read();
  return {std::move(handshake), step.state, peer.alert};
}

void names_that_fit(void**) {
  const ContextRef ours = context({});
  for (const char* name : {"server.example", "SERVER.Example", "server.example.", "a.wild.example",
                           "10.0.0.1", "::1", "[::1]"}) {
    const Attempt made = attempt(ours, name, world().server);
    must_be(*made.handshake, made.state, Handshake::State::done);
    assert_string_equal(made.handshake->take().summary.peer.c_str(), name);
  }
}

void names_that_do_not_fit(void**) {
  const ContextRef ours = context({});
  // cn.example is the common name, which counts for nothing.
  for (const char* name : {"other.example", "cn.example", "wild.example", "a.b.wild.example",
                           "10.0.0.2", "::2", "server.example.evil"}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const Attempt made = attempt(ours, name, world().server, version);
      must_fail(*made.handshake, made.state, Cause::wrong_name,
                "server.example, *.wild.example, 10.0.0.1, ::1");
      assert_true(made.handshake->failure().reason.find(name) != std::string::npos);
      assert_true(made.handshake->failure().advice.find("server_name") != std::string::npos);
      assert_int_equal(made.alert, SSL_AD_BAD_CERTIFICATE);
    }
  }
  // Nor does a common name when there is no other.
  const Issued nameless = issue({.common_name = "server.example", .names = ""}, &world().ca);
  const Attempt made = attempt(ours, "server.example", nameless);
  must_fail(*made.handshake, made.state, Cause::wrong_name, "no DNS name or address");
}

void a_name_is_needed_to_verify_one(void**) {
  const ContextRef ours = context({});
  for (const std::string& name : {std::string(), std::string("."), std::string(".example"),
                                  std::string("a\0b", 3), std::string(300, 'x')}) {
    const auto handshake = start(ours, name);
    const Step step = advance(*handshake, {});
    must_fail(*handshake, step.state, Cause::wrong_name, "");
    assert_true(handshake->failure().advice.find("server_name") != std::string::npos);
    assert_true(step.output.empty());
  }
}

void only_dns_names_are_sent(void**) {
  const struct {
    const char* name;
    const char* sent;
  } cases[] = {{"server.example", "server.example"},
               {"server.example.", "server.example"},
               {"10.0.0.1", nullptr},
               {"::1", nullptr},
               {"fe80::1%eth0", nullptr},
               {"", nullptr}};
  const ContextRef ours = context({.verify = PeerCheck::chain});
  for (const auto& one : cases) {
    const ContextPtr theirs = foreign_context({.identity = &world().server});
    ForeignPeer peer(theirs.get());
    const auto handshake = start(ours, one.name);
    secure(*handshake, peer);
    const char* sent = SSL_get_servername(peer.ssl, TLSEXT_NAMETYPE_host_name);
    if (one.sent == nullptr)
      assert_null(sent);
    else
      assert_string_equal(sent, one.sent);
  }
}

void certificates_that_are_refused(void**) {
  const World& w = world();
  const Issued expired = issue({.common_name = "old",
                                .names = "DNS:server.example",
                                .valid_from = -7200,
                                .valid_until = -3600},
                               &w.ca);
  const Issued early = issue({.common_name = "new",
                              .names = "DNS:server.example",
                              .valid_from = 3600,
                              .valid_until = 7200},
                             &w.ca);
  const Issued self = issue({.common_name = "self", .names = "DNS:server.example"});
  const Issued foreign = issue({.common_name = "far", .names = "DNS:server.example"}, &w.other_ca);
  const Issued client_only = issue(
      {.common_name = "co", .names = "DNS:server.example", .extended_usage = "clientAuth"}, &w.ca);
  const Issued rude = issue({.common_name = "a\nb\x1b[2J", .names = "DNS:server.example"});
  const struct {
    const Issued& shown;
    Cause cause;
    const char* words;
    int alert;
  } cases[] = {
      {expired, Cause::expired, "CN=old", SSL_AD_CERTIFICATE_EXPIRED},
      {early, Cause::expired, "CN=new", SSL_AD_BAD_CERTIFICATE},
      {self, Cause::untrusted, "CN=self", SSL_AD_UNKNOWN_CA},
      {foreign, Cause::untrusted, "CN=far", SSL_AD_UNKNOWN_CA},
      {client_only, Cause::not_allowed, "CN=co", SSL_AD_UNSUPPORTED_CERTIFICATE},
      {rude, Cause::untrusted, "CN=a\\", SSL_AD_UNKNOWN_CA},
  };
  for (const PeerCheck verify : {PeerCheck::full, PeerCheck::chain}) {
    const ContextRef ours = context({.verify = verify});
    for (const auto& one : cases) {
      for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const Attempt made = attempt(ours, "server.example", one.shown, version);
        must_fail(*made.handshake, made.state, one.cause, one.words);
        assert_int_equal(made.alert, one.alert);
        assert_false(made.handshake->failure().advice.empty());
        for (const char c : made.handshake->failure().reason) assert_true(c >= ' ' && c <= '~');
      }
    }
  }
  const ContextRef trusting_all = context({.trusts = nullptr, .verify = PeerCheck::none});
  for (const auto& one : cases) {
    const Attempt made = attempt(trusting_all, "another.example", one.shown);
    must_be(*made.handshake, made.state, Handshake::State::done);
    assert_string_equal(made.handshake->take().summary.peer.c_str(), "server.example");
  }
}

void a_site_certificate_is_trusted_as_it_is(void**) {
  const Issued site =
      issue({.common_name = "site", .names = "DNS:server.example"}, &world().other_ca);
  const ContextRef ours = context({.trusts = &site});
  const Attempt made = attempt(ours, "server.example", site);
  must_be(*made.handshake, made.state, Handshake::State::done);
  const Attempt wrong = attempt(ours, "x.example", site);
  must_fail(*wrong.handshake, wrong.state, Cause::wrong_name, "x.example");
}

void a_revoked_certificate_is_refused(void**) {
  const World& w = world();
  const Issued gone = issue({.common_name = "gone", .names = "DNS:server.example"}, &w.ca);
  X509_CRL* list = X509_CRL_new();
  X509_CRL_set_issuer_name(list, X509_get_subject_name(w.ca.certificate.get()));
  ASN1_TIME* now = X509_gmtime_adj(nullptr, -60);
  X509_CRL_set1_lastUpdate(list, now);
  X509_gmtime_adj(now, 3600);
  X509_CRL_set1_nextUpdate(list, now);
  X509_REVOKED* entry = X509_REVOKED_new();
  X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(gone.certificate.get()));
  X509_REVOKED_set_revocationDate(entry, now);
  ASN1_TIME_free(now);
  X509_CRL_add0_revoked(list, entry);
  X509_CRL_sign(list, w.ca.key.get(), EVP_sha256());
  ContextSettings settings;
  settings.trust = trusting({&w.ca});
  X509_STORE_add_crl(settings.trust.get(), list);
  X509_STORE_set_flags(settings.trust.get(), X509_V_FLAG_CRL_CHECK);
  X509_CRL_free(list);
  const ContextRef ours = *Context::make(std::move(settings));
  const Attempt made = attempt(ours, "server.example", gone);
  must_fail(*made.handshake, made.state, Cause::revoked, "CN=gone");
  assert_int_equal(made.alert, SSL_AD_CERTIFICATE_REVOKED);
  const Attempt other = attempt(ours, "server.example", w.server);
  must_be(*other.handshake, other.state, Handshake::State::done);
}

// ---- versions and suites ----

void old_versions_and_suites_are_refused(void**) {
  const struct {
    Version min_version;
    int version;
    const char* suite;
    const char* words;
    int alert;
  } cases[] = {
      {Version::tls13, TLS1_2_VERSION, nullptr, "unsupported protocol", SSL_AD_PROTOCOL_VERSION},
      {Version::tls12, TLS1_1_VERSION, "ALL@SECLEVEL=0", "unsupported protocol",
       SSL_AD_PROTOCOL_VERSION},
      {Version::tls12, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384", "no shared cipher",
       SSL_AD_HANDSHAKE_FAILURE},
      {Version::tls12, TLS1_2_VERSION, "AES256-GCM-SHA384", "no shared cipher",
       SSL_AD_HANDSHAKE_FAILURE},
      // An RSA key is wanted; ours is ECDSA.
      {Version::tls12, TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", "no shared cipher",
       SSL_AD_HANDSHAKE_FAILURE},
  };
  for (const auto& one : cases) {
    const ContextRef ours = context(
        {.role = Role::server, .identity = &world().server, .min_version = one.min_version});
    const ContextPtr theirs =
        foreign_context({.role = Role::client, .version = one.version, .suite = one.suite});
    ForeignPeer peer(theirs.get());
    const auto handshake = start(ours, "");
    const Step step = run(*handshake, peer);
    must_fail(*handshake, step.state, Cause::protocol, one.words);
    assert_false(handshake->failure().advice.empty());
    assert_int_equal(peer.alert, one.alert);
  }
}

void a_peer_that_refuses_is_quoted(void**) {
  // The server speaks TLS 1.2 only, which our client does not offer.
  const ContextRef strict = context({.min_version = Version::tls13});
  const Attempt made = attempt(strict, "server.example", world().server, TLS1_2_VERSION);
  must_fail(*made.handshake, made.state, Cause::peer_refused, "protocol_version (70)");
  assert_false(made.handshake->failure().advice.empty());

  // The client does not trust our server.
  const ContextRef ours = server_context();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const ContextPtr theirs =
        foreign_context({.role = Role::client, .version = version, .trusts = &world().other_ca});
    ForeignPeer peer(theirs.get());
    const auto handshake = start(ours, "");
    const Step step = run(*handshake, peer);
    must_fail(*handshake, step.state, Cause::peer_refused, "unknown_ca (48)");
  }

  // The server wants a certificate that our client lacks: TLS 1.2 says so in time.
  const ContextPtr asking = foreign_context(
      {.version = TLS1_2_VERSION, .identity = &world().server, .trusts = &world().ca});
  ForeignPeer peer(asking.get());
  const auto handshake = start(context({}));
  const Step step = run(*handshake, peer);
  must_fail(*handshake, step.state, Cause::peer_refused, "handshake_failure (40)");
}

void a_peer_that_leaves_is_not_a_refusal(void**) {
  const auto handshake = start(context({}));
  advance(*handshake, {});
  const Step step = advance(*handshake, {21, 3, 3, 0, 2, 1, 0});
  must_fail(*handshake, step.state, Cause::peer_closed, "close_notify");
}

// ---- no TLS, or bad TLS ----

Data bytes(std::string_view text) { return {text.begin(), text.end()}; }

void what_is_no_tls_is_named(void**) {
  const struct {
    std::string_view sent;
    const char* words;
  } cases[] = {
      {"GET / HTTP/1.1\r\nCookie: secret\r\n\r\n", "HTTP request"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "SSH banner"},
      {"220 mail.example ESMTP\r\n", "greeting"},
      {"*1\r\n$4\r\nPING\r\n", "Redis command"},
      {"secret password\r\n", "plain text"},
      {"G", "plain text"},
      {"\x80\x2e\x01\x03\x01", "SSL 2.0"},
      {"\x16\x02\x01", "binary"},
      {"\x16\x03\x01\xff\xff", "binary"},
  };
  for (const auto& one : cases) {
    for (const Role role : {Role::client, Role::server}) {
      const auto handshake = start(role == Role::client ? context({}) : server_context());
      if (role == Role::client) advance(*handshake, {});
      const Step step = advance(*handshake, bytes(one.sent));
      must_fail(*handshake, step.state, Cause::not_tls, one.words);
      assert_true(handshake->failure().reason.find("does not speak TLS") != std::string::npos);
      assert_true(handshake->failure().reason.find("secret") == std::string::npos);
      assert_true(step.output.empty());
      // It stays failed, and takes nothing more.
      const Step again = advance(*handshake, bytes(one.sent));
      must_fail(*handshake, again.state, Cause::not_tls, one.words);
      assert_int_equal(again.rest.size(), one.sent.size());
      assert_true(again.output.empty());
    }
  }
}

// A fatal alert in the clear, as the last of `output`.
void must_end_in_alert(const Data& output, uint8_t alert) {
  assert_true(output.size() >= 7);
  const uint8_t* record = output.data() + output.size() - 7;
  const uint8_t expected[] = {21, 3, record[2], 0, 2, 2, alert};
  assert_memory_equal(record, expected, sizeof expected);
}

void records_that_are_too_long_are_refused(void**) {
  const Data hello = advance(*start(context({})), {}).output;
  // A first half of the hello, then a header that promises too much.
  Data input = {22, 3, 1, 0, 10};
  input.insert(input.end(), hello.begin() + 5, hello.begin() + 15);
  input.insert(input.end(), {22, 3, 3, 0xff, 0xff});
  const auto handshake = start(server_context(), "");
  const Step step = advance(*handshake, input);
  must_fail(*handshake, step.state, Cause::protocol, "");
  must_end_in_alert(step.output, SSL_AD_RECORD_OVERFLOW);
}

void records_of_a_wrong_kind_are_refused(void**) {
  for (const uint8_t type : {uint8_t{23}, uint8_t{24}, uint8_t{99}}) {
    const auto handshake = start(server_context(), "");
    Data input = {22, 3, 1, 0, 1, 1};  // the first byte of a ClientHello
    input.insert(input.end(), {type, 3, 3, 0, 1, 0});
    const Step step = advance(*handshake, input);
    must_fail(*handshake, step.state, Cause::protocol, "");
    must_end_in_alert(step.output, SSL_AD_UNEXPECTED_MESSAGE);
  }
}

void half_a_record_is_left(void**) {
  const Data hello = advance(*start(context({})), {}).output;
  const auto handshake = start(server_context(), "");
  for (size_t length = 0; length < hello.size(); length += 11) {
    const Step step =
        advance(*handshake, Data(hello.begin(), hello.begin() + static_cast<long>(length)));
    must_be(*handshake, step.state, Handshake::State::going_on);
    assert_int_equal(step.rest.size(), length);
    assert_true(step.output.empty());
  }
  const Step step = advance(*handshake, hello);
  must_be(*handshake, step.state, Handshake::State::going_on);
  assert_true(step.rest.empty());
  assert_false(step.output.empty());
}

void damaged_flights_never_succeed(void**) {
  // One flipped bit anywhere in what either end hears: it fails, or waits; it is
  // never done with something that was tampered with.
  std::mt19937 random(20240229);
  const ContextRef client = context({});
  const ContextRef server = server_context();
  for (int i = 0; i < 300; ++i) {
    const auto at_client = Handshake::start(client, "server.example", "");
    const auto at_server = start(server, "");
    Data flight = advance(*at_client, {}).output;
    const auto damage = [&](Data& data) {
      const size_t bit = random() % (data.size() * 8);
      data[bit / 8] = static_cast<uint8_t>(data[bit / 8] ^ (1u << bit % 8));
    };
    if (i % 3 == 0) damage(flight);
    Step step = advance(*at_server, flight);
    if (step.output.empty()) continue;
    if (i % 3 == 1) damage(step.output);
    step = advance(*at_client, step.output);
    if (i % 3 != 2) {
      // The version bytes of a record's header are not authenticated.
      continue;
    }
    damage(step.output);
    const Data last = step.output;
    step = advance(*at_server, last);
    if (step.state == Handshake::State::done) {
      // Only what TLS 1.3 ignores: the dummy change_cipher_spec's or a record's version.
      assert_true(step.rest.empty());
    }
  }
}

void garbage_never_succeeds(void**) {
  std::mt19937 random(7);
  const ContextRef client = context({});
  const ContextRef server = server_context();
  for (int i = 0; i < 2000; ++i) {
    const auto handshake = start(i % 2 == 0 ? server : client);
    if (i % 2 == 1) advance(*handshake, {});
    Data input;
    for (int record = 0; record < 4; ++record) {
      const size_t length = random() % 200;
      input.insert(input.end(), {static_cast<uint8_t>(record == 0 ? 22 : 20 + random() % 4), 3, 3,
                                 0, static_cast<uint8_t>(length)});
      for (size_t j = 0; j < length; ++j) input.push_back(static_cast<uint8_t>(random()));
      if (length >= 4 && random() % 2 == 0) {
        uint8_t* message = input.data() + input.size() - length;
        message[0] = i % 2 == 0 ? 1 : 2;
        message[1] = message[2] = 0;
        message[3] = static_cast<uint8_t>(length - 4);
      }
    }
    const Step step = advance(*handshake, input);
    assert_true(step.state != Handshake::State::done);
  }
}

// ---- contexts ----

void contexts_that_cannot_be_made(void**) {
  ContextSettings settings;
  settings.role = Role::server;
  auto made = Context::make(std::move(settings));
  assert_false(made.has_value());
  assert_int_equal(static_cast<int>(made.error().cause), static_cast<int>(Cause::local));

  settings = {};
  settings.role = Role::server;
  settings.identity = identity_of(world().server);
  settings.identity->key = make_key("EC");
  made = Context::make(std::move(settings));
  assert_false(made.has_value());
  assert_true(made.error().reason.find("test") != std::string::npos);

  settings = {};
  made = Context::make(std::move(settings));
  assert_false(made.has_value());
}

void versions_are_told(void**) {
  assert_int_equal(std::string(openssl_version()).find("OpenSSL 3."), 0);
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(client_talks_in_every_suite),
      cmocka_unit_test(server_talks_in_every_suite),
      cmocka_unit_test(peer_can_talk_first),
      cmocka_unit_test(both_ends_can_be_ours),
      cmocka_unit_test(bytes_may_come_one_at_a_time),
      cmocka_unit_test(data_right_behind_the_last_message_is_left),
      cmocka_unit_test(messages_may_be_split_or_coalesced),
      cmocka_unit_test(client_certificates),
      cmocka_unit_test(our_client_shows_its_certificate),
      cmocka_unit_test(server_tells_which_authorities_it_trusts),
      cmocka_unit_test(names_that_fit),
      cmocka_unit_test(names_that_do_not_fit),
      cmocka_unit_test(a_name_is_needed_to_verify_one),
      cmocka_unit_test(only_dns_names_are_sent),
      cmocka_unit_test(certificates_that_are_refused),
      cmocka_unit_test(a_site_certificate_is_trusted_as_it_is),
      cmocka_unit_test(a_revoked_certificate_is_refused),
      cmocka_unit_test(old_versions_and_suites_are_refused),
      cmocka_unit_test(a_peer_that_refuses_is_quoted),
      cmocka_unit_test(a_peer_that_leaves_is_not_a_refusal),
      cmocka_unit_test(what_is_no_tls_is_named),
      cmocka_unit_test(records_that_are_too_long_are_refused),
      cmocka_unit_test(records_of_a_wrong_kind_are_refused),
      cmocka_unit_test(half_a_record_is_left),
      cmocka_unit_test(damaged_flights_never_succeed),
      cmocka_unit_test(garbage_never_succeeds),
      cmocka_unit_test(contexts_that_cannot_be_made),
      cmocka_unit_test(versions_are_told),
  };
  return cmocka_run_group_tests_name("handshake", tests, nullptr, nullptr);
}
