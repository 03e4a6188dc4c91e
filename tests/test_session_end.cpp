// A session ends with the first thing that its full handshake verified, and resuming it
// extends nothing.
#include "engine/session_end.h"

#include <openssl/ocsp.h>

#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

constexpr int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

// Of start(): the key, and the name that it is verified by.
const std::string session_key = std::string("key") + '\0' + "server.example";

// Of the same issuer and key as the World's CA, so that chains have what the case needs.
struct Chain {
  Issued root = issue({.common_name = "Root", .names = "", .valid_until = 90'000, .is_ca = true});
  Issued middle;
  Issued leaf;

  Chain(long middle_until, long leaf_until)
      : middle(issue(
            {.common_name = "Middle", .names = "", .valid_until = middle_until, .is_ca = true},
            &root)),
        leaf(
            issue({.common_name = "leaf", .names = "DNS:server.example", .valid_until = leaf_until},
                  &middle)) {}
};

CrlPtr list_of(const Issued& ca, long until) {
  CrlPtr list(X509_CRL_new());
  X509_CRL_set_version(list.get(), 1);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(ca.certificate.get()));
  ASN1_TIME* time = X509_gmtime_adj(nullptr, -60);
  X509_CRL_set1_lastUpdate(list.get(), time);
  X509_gmtime_adj(time, until);
  X509_CRL_set1_nextUpdate(list.get(), time);
  ASN1_TIME_free(time);
  X509_CRL_sign(list.get(), ca.key.get(), EVP_sha256());
  return list;
}

struct Case {
  long lifetime = 7200;
  long middle = 80'000;
  long leaf = 80'000;
  std::vector<std::pair<bool, long>> lists = {};  // the root's, or the middle's; until
  long expected;
};

// Give or take the seconds that the test itself takes, on a slow machine and under sanitizers.
constexpr long slack = 10;
void must_end(const SSL_SESSION* session, std::time_t start, long expected) {
  const auto end = session_end(session);
  assert_true(end.has_value());
  const long lasts = static_cast<long>(*end - start);
  if (lasts < expected - slack || lasts > expected + slack)
    fail_msg("lasts %ld seconds, not %ld", lasts, expected);
  assert_true(SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session) <= *end);
}

ContextSettings settings_for(const Case& one, const Chain& chain, Role role) {
  ContextSettings settings;
  settings.role = role;
  settings.session_scope = "a test";
  settings.trust = trusting({&chain.root});
  settings.session_lifetime = std::chrono::seconds(one.lifetime);
  for (const auto& [by_root, until] : one.lists)
    settings.crls.push_back(list_of(by_root ? chain.root : chain.middle, until));
  if (role == Role::server) {
    settings.identities.push_back(identity_of(world().server));
    settings.client_auth = PeerCertificate::required;
  }
  return settings;
}

// The foreign peer shows the whole chain.
ContextPtr showing(const Chain& chain, Role role, int version, size_t tickets) {
  ContextPtr made = foreign_context(
      {.role = role, .version = version, .identity = &chain.leaf, .tickets = tickets});
  SSL_CTX_add1_chain_cert(made.get(), chain.middle.certificate.get());
  return made;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {.expected = 7200},
      {.lifetime = 10, .expected = 10},
      {.middle = 100, .expected = 100},
      {.leaf = 100, .expected = 100},
      {.lists = {{true, 50}}, .expected = 50},
      {.lists = {{false, 60}}, .expected = 60},
      {.lists = {{true, 200}, {false, 60}}, .expected = 60},
      // Out of date already, and forgiven.
      {.lists = {{true, -30}}, .expected = 7200},
      {.lists = {{true, -30}, {true, 70}}, .expected = 70},
  };
  return all;
}

void our_client_keeps_them_so_long(void**) {
  for (const Case& one : cases()) {
    const Chain chain(one.middle, one.leaf);
    for (const int version : versions) {
      const ContextRef ours = context(settings_for(one, chain, Role::client));
      const ContextPtr theirs = showing(chain, Role::server, version, 1);
      const std::time_t began = std::time(nullptr);
      for (const bool resumes : {false, true, true}) {
        ForeignPeer peer(theirs.get());
        const auto handshake = start(ours);
        const Step step = run(*handshake, peer);
        must_be(*handshake, step.state, Handshake::State::done);
        Secured secured = handshake->take();
        assert_int_equal(secured.summary.resumed, resumes);
        opened(secured.read, step.rest, secured.tickets.get());
        must_talk(secured, peer);
        const SessionPtr kept = ours->sessions().get(session_key);
        assert_non_null(kept.get());
        must_end(kept.get(), began, one.expected);
      }
    }
  }
}

void our_server_issues_them_so_long(void**) {
  for (const Case& one : cases()) {
    const Chain chain(one.middle, one.leaf);
    for (const int version : versions) {
      const ContextRef ours = context(settings_for(one, chain, Role::server));
      const ContextPtr theirs = showing(chain, Role::client, version, 0);
      SessionPtr session;
      for (const bool resumes : {false, true, true}) {
        ForeignPeer peer(theirs.get(), session.get());
        const auto handshake = start(ours, "");
        Secured secured = secure(*handshake, peer);
        assert_int_equal(secured.summary.resumed, resumes);
        must_talk(secured, peer);
        if (version == TLS1_3_VERSION) assert_int_equal(peer.sessions.size(), 1);
        if (peer.sessions.empty()) continue;
        session = std::move(peer.sessions.back());
        const long hint = static_cast<long>(SSL_SESSION_get_ticket_lifetime_hint(session.get()));
        if (hint > one.expected || hint < one.expected - slack)
          fail_msg("a ticket for %ld seconds, not %ld", hint, one.expected);
      }
    }
  }
}

void what_has_no_end_is_not_resumed(void**) {
  const SessionPtr session(SSL_SESSION_new());
  assert_false(session_end(session.get()).has_value());
  assert_false(is_in_time(session.get(), std::time(nullptr)));
  for (const std::string_view odd : {"", "\x01", "\x02gaiter!!", "\x01too long to be one"}) {
    SSL_SESSION_set1_ticket_appdata(session.get(), odd.data(), odd.size());
    assert_false(is_in_time(session.get(), std::time(nullptr)));
  }
}

void an_end_is_kept(void**) {
  const SessionPtr session(SSL_SESSION_new());
  const std::time_t now = std::time(nullptr);
  for (const std::time_t end : {std::time_t{0}, std::time_t{1}, now, now + 77, now * 1000}) {
    assert_true(set_session_end(session.get(), end));
    assert_true(session_end(session.get()) == end);
    assert_int_equal(is_in_time(session.get(), now), now < end);
    assert_int_equal(is_in_time(session.get(), end), false);
  }
  const SessionPtr copy(SSL_SESSION_dup(session.get()));
  assert_true(session_end(copy.get()) == now * 1000);
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(our_client_keeps_them_so_long),
      cmocka_unit_test(our_server_issues_them_so_long),
      cmocka_unit_test(what_has_no_end_is_not_resumed),
      cmocka_unit_test(an_end_is_kept),
  };
  return cmocka_run_group_tests_name("session end", tests, nullptr, nullptr);
}
