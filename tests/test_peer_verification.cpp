// Whom the handshake accepts: client authentication, names, chains.
#include "engine/handshake.h"

#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

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

void names_that_fit(void**) {
  const ContextRef ours = context(Ours{});
  for (const char* name : {"server.example", "SERVER.Example", "server.example.", "a.wild.example",
                           "10.0.0.1", "::1", "[::1]"}) {
    const Attempt made = attempt(ours, name, world().server);
    must_be(*made.handshake, made.state, Handshake::State::done);
    assert_string_equal(made.handshake->take().summary.peer.c_str(), name);
  }
}

void names_that_do_not_fit(void**) {
  const ContextRef ours = context(Ours{});
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
  const ContextRef ours = context(Ours{});
  for (const std::string& name : {std::string(), std::string("."), std::string(".example"),
                                  std::string("a\0b", 3), std::string(300, 'x')}) {
    const auto handshake = start(ours, name);
    const Step step = advance(*handshake, {});
    must_fail(*handshake, step.state, Cause::wrong_name, "");
    assert_true(handshake->failure().advice.find("server_name") != std::string::npos);
    assert_true(step.output.empty());
  }
}

ExpectedPeer expecting(std::vector<std::string> names) {
  ExpectedPeer peer;
  peer.sent = names.front();
  peer.names = std::move(names);
  return peer;
}

void of_several_names_each_must_fit(void**) {
  const ContextRef ours = context(Ours{});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto meet = [&](const ExpectedPeer& expected) {
      const ContextPtr theirs =
          foreign_context({.version = version, .identity = &world().server, .trusts = nullptr});
      ForeignPeer peer(theirs.get());
      auto handshake = Handshake::start(ours, expected, "key");
      const Step step = run(*handshake, peer);
      return std::pair(std::move(handshake), step.state);
    };
    for (int again = 0; again < 2; ++again) {  // from the cache of peers, too
      const auto [good, state] = meet(expecting({"a.wild.example", "server.example", "10.0.0.1"}));
      must_be(*good, state, Handshake::State::done);
      for (const char* other : {"other.example", "", ".wild.example", "10.0.0.2"}) {
        const auto [bad, end] = meet(expecting({"server.example", other}));
        must_fail(*bad, end, Cause::ambiguous_name, "server.example");
        assert_true(bad->failure().advice.find("interchangeable") != std::string::npos);
      }
    }
    ExpectedPeer incomplete = "server.example";
    incomplete.others = true;
    const auto [bad, end] = meet(incomplete);
    must_fail(*bad, end, Cause::ambiguous_name, "room");
  }
}

void expectations_that_differ_have_keys_that_do(void**) {
  assert_string_equal(key_of("a.example").c_str(), "a.example");
  const ExpectedPeer one = expecting({"a.example", "b.example"});
  ExpectedPeer same = expecting({"b.example", "a.example"});
  assert_true(key_of(one) != key_of(same));  // another SNI
  same.sent = one.sent;
  assert_true(key_of(one) == key_of(same));
  for (const ExpectedPeer& other :
       {expecting({"a.example"}), expecting({"a.example", "b.example", "c.example"})})
    assert_true(key_of(one) != key_of(other));
  same.others = true;
  assert_true(key_of(one) != key_of(same));
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
  const ContextRef ours = context(Ours{.verify = PeerCheck::chain});
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
    const ContextRef ours = context(Ours{.verify = verify});
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

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(client_certificates),
      cmocka_unit_test(our_client_shows_its_certificate),
      cmocka_unit_test(server_tells_which_authorities_it_trusts),
      cmocka_unit_test(names_that_fit),
      cmocka_unit_test(names_that_do_not_fit),
      cmocka_unit_test(a_name_is_needed_to_verify_one),
      cmocka_unit_test(of_several_names_each_must_fit),
      cmocka_unit_test(expectations_that_differ_have_keys_that_do),
      cmocka_unit_test(only_dns_names_are_sent),
      cmocka_unit_test(certificates_that_are_refused),
      cmocka_unit_test(a_site_certificate_is_trusted_as_it_is),
      cmocka_unit_test(a_revoked_certificate_is_refused),
  };
  return cmocka_run_group_tests_name("peer verification", tests, nullptr, nullptr);
}
