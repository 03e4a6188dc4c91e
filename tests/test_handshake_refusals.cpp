// Why a handshake fails, and with which alert: versions, suites, peers that
// refuse, what is no TLS or bad TLS, contexts that cannot be made.
#include "engine/handshake.h"

#include <optional>
#include <random>

#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

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
  const ContextRef strict = context(Ours{.min_version = Version::tls13});
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
  const auto handshake = start(context(Ours{}));
  const Step step = run(*handshake, peer);
  must_fail(*handshake, step.state, Cause::peer_refused, "handshake_failure (40)");
}

void a_peer_that_leaves_is_not_a_refusal(void**) {
  const auto handshake = start(context(Ours{}));
  advance(*handshake, {});
  const Step step = advance(*handshake, {21, 3, 3, 0, 2, 1, 0});
  must_fail(*handshake, step.state, Cause::peer_closed, "close_notify");
}

// ---- peers that are forgiven ----

void a_client_that_is_forgiven_is_let_in_and_told_of(void**) {
  const struct {
    const Issued* shown;
    std::optional<Cause> forgiven;
  } cases[] = {{nullptr, Cause::no_certificate},
               {&world().stranger, Cause::untrusted},
               {&world().client, std::nullopt}};
  const ContextRef ours = server_context(PeerCertificate::required);
  for (const auto& one : cases) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const ContextPtr theirs =
          foreign_context({.role = Role::client, .version = version, .identity = one.shown});
      ForeignPeer peer(theirs.get());
      const auto handshake = start(ours, "");
      handshake->forgive_peer();
      Secured secured = secure(*handshake, peer);
      assert_true(secured.forgiven.has_value() == one.forgiven.has_value());
      if (one.forgiven) assert_true(secured.forgiven->cause == *one.forgiven);
      assert_true(secured.deferred.empty());  // no ticket
      must_talk(secured, peer);
      // The next one is judged as ever.
      if (!one.forgiven) continue;
      const Attempt unforgiven = attempt_by(ours, one.shown, version);
      must_fail(*unforgiven.handshake, unforgiven.state, *one.forgiven, "certificate");
    }
  }
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
      const auto handshake = start(role == Role::client ? context(Ours{}) : server_context());
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
  const Data hello = advance(*start(context(Ours{})), {}).output;
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
  const Data hello = advance(*start(context(Ours{})), {}).output;
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

void damaged_flights_never_deceive(void**) {
  // One bit flipped in one of the three flights: if both ends still come to an
  // end, it was in what TLS leaves unauthenticated (a record's version), and they
  // agree on the keys.
  std::mt19937 random(20240229);
  const ContextRef client = context(Ours{});
  const ContextRef server = server_context();
  for (int i = 0; i < 600; ++i) {
    const auto flip_in_flight = [&](int flight, Data& data) {
      if (flight != i % 3 || data.empty()) return;
      const size_t bit = random() % (data.size() * 8);
      data[bit / 8] = static_cast<uint8_t>(data[bit / 8] ^ (1u << bit % 8));
    };
    const auto at_client = start(client, "server.example");
    const auto at_server = start(server, "");
    Data flight = advance(*at_client, {}).output;
    flip_in_flight(0, flight);
    flight = advance(*at_server, flight).output;
    flip_in_flight(1, flight);
    Step step = advance(*at_client, flight);
    const Handshake::State client_state = step.state;
    flip_in_flight(2, step.output);
    step = advance(*at_server, step.output);
    if (client_state != Handshake::State::done || step.state != Handshake::State::done) continue;
    Secured of_client = at_client->take();
    Secured of_server = at_server->take();
    assert_string_equal(opened(of_server.read, sealed(of_client.write, "agreed")).text.c_str(),
                        "agreed");
  }
}

void garbage_never_succeeds(void**) {
  std::mt19937 random(7);
  const ContextRef client = context(Ours{});
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
  settings.identities.push_back(identity_of(world().server));
  settings.identities.front().key = make_key("EC");
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
      cmocka_unit_test(old_versions_and_suites_are_refused),
      cmocka_unit_test(a_peer_that_refuses_is_quoted),
      cmocka_unit_test(a_peer_that_leaves_is_not_a_refusal),
      cmocka_unit_test(a_client_that_is_forgiven_is_let_in_and_told_of),
      cmocka_unit_test(what_is_no_tls_is_named),
      cmocka_unit_test(records_that_are_too_long_are_refused),
      cmocka_unit_test(records_of_a_wrong_kind_are_refused),
      cmocka_unit_test(half_a_record_is_left),
      cmocka_unit_test(damaged_flights_never_deceive),
      cmocka_unit_test(garbage_never_succeeds),
      cmocka_unit_test(contexts_that_cannot_be_made),
      cmocka_unit_test(versions_are_told),
  };
  return cmocka_run_group_tests_name("handshake refusals", tests, nullptr, nullptr);
}
