// Who is let in: allow and deny in a handshake, and again before a session is resumed.
#include "engine/authorisation.h"

#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

using Kind = PeerPattern::Kind;

constexpr int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

const Issued& batch() {
  static const Issued* const made = new Issued(
      issue({.common_name = "batch", .names = "DNS:batch.apps.internal,URI:spiffe://prod/batch"},
            &world().ca));
  return *made;
}

ContextRef guarded(std::vector<PeerPattern> allow, std::vector<PeerPattern> deny = {},
                   PeerCertificate client_auth = PeerCertificate::required) {
  ContextSettings settings =
      settings_of({.role = Role::server, .identity = &world().server, .client_auth = client_auth});
  settings.allow = std::move(allow);
  settings.deny = std::move(deny);
  return context(std::move(settings));
}

void must_be_denied(const Attempt& attempt, const char* words) {
  must_fail(*attempt.handshake, attempt.state, Cause::not_allowed, words);
  assert_int_equal(attempt.alert, SSL_AD_ACCESS_DENIED);
}

void must_pass(const Attempt& attempt) {
  must_be(*attempt.handshake, attempt.state, Handshake::State::done);
}

void a_client_that_nothing_in_allow_fits(void**) {
  for (const int version : versions) {
    const ContextRef ours = guarded({{Kind::dns, "web.apps.internal"}});
    const Attempt refused = attempt_by(ours, &batch(), version);
    must_be_denied(refused, "dns:batch.apps.internal, uri:spiffe://prod/batch, subject:CN=batch");
    const std::string& advice = refused.handshake->failure().advice;
    assert_non_null(strstr(advice.c_str(), "\"dns:batch.apps.internal\" to allow"));
    must_pass(attempt_by(guarded({{Kind::dns, "web"}, {Kind::uri, "spiffe://prod/*"}}), &batch(),
                         version));
  }
}

void deny_wins(void**) {
  for (const int version : versions) {
    const PeerPattern everybody{Kind::dns, "*.apps.internal"};
    const ContextRef ours = guarded({everybody}, {{Kind::subject, "CN=batch", {{"CN", "batch"}}}});
    must_be_denied(attempt_by(ours, &batch(), version), "denied by \"subject:CN=batch\"");
    must_be_denied(attempt_by(guarded({}, {everybody}), &batch(), version), "denied by");
    must_pass(attempt_by(guarded({}, {everybody}), &world().client, version));
  }
}

void a_certificate_is_only_judged_if_it_comes(void**) {
  const ContextRef ours = guarded({{Kind::dns, "nobody.example"}}, {}, PeerCertificate::optional);
  must_pass(attempt_by(ours, nullptr));
  must_be_denied(attempt_by(ours, &batch()), "nothing in allow");
}

void trust_comes_first(void**) {
  const ContextRef ours = guarded({{Kind::subject, "CN=stranger", {{"CN", "stranger"}}}});
  const Attempt refused = attempt_by(ours, &world().stranger);
  must_fail(*refused.handshake, refused.state, Cause::untrusted, "");
}

void a_server_may_be_judged_too(void**) {
  for (const int version : versions) {
    ContextSettings settings = settings_of({});
    settings.allow = {{Kind::dns, "other.example"}};
    must_be_denied(attempt(context(std::move(settings)), "server.example", world().server, version),
                   "the server's certificate (dns:server.example");
    settings = settings_of({});
    settings.allow = {{Kind::dns, "server.example"}};
    const ContextRef ours = context(std::move(settings));
    // The second time from the cache of verified peers.
    for (int i = 0; i < 2; ++i) must_pass(attempt(ours, "server.example", world().server, version));
  }
}

// ---- resumption ----

bool resumes(const ContextRef& ours, SSL_CTX* theirs, SessionPtr& session) {
  ForeignPeer peer(theirs, session.get());
  const auto handshake = start(ours, "");
  const Step step = run(*handshake, peer);
  must_be(*handshake, step.state, Handshake::State::done);
  Secured secured = handshake->take();
  must_talk(secured, peer);
  if (!peer.sessions.empty()) session = std::move(peer.sessions.back());
  return secured.summary.resumed;
}

void a_session_is_not_resumed_under_other_rules(void**) {
  for (const int version : versions) {
    const ContextPtr theirs =
        foreign_context({.role = Role::client, .version = version, .identity = &batch()});
    const PeerPattern fits{Kind::dns, "batch.apps.internal"};
    const ContextRef before = guarded({fits});
    SessionPtr session;
    assert_false(resumes(before, theirs.get(), session));
    assert_true(resumes(before, theirs.get(), session));
    // The same rules anew: the process's ticket key has stayed.
    assert_true(resumes(guarded({fits}), theirs.get(), session));
    assert_false(resumes(guarded({fits, {Kind::dns, "web"}}), theirs.get(), session));

    ForeignPeer peer(theirs.get(), session.get());
    must_be_denied(attempt(guarded({fits}, {fits}), "", peer), "denied by");
  }
}

void contradictions_are_refused(void**) {
  const auto refuses = [](ContextSettings settings) {
    const auto made = Context::make(std::move(settings));
    return !made && made.error().cause == Cause::local;
  };
  ContextSettings settings = settings_of({.role = Role::server, .identity = &world().server});
  settings.allow = {{Kind::dns, "x"}};
  assert_true(refuses(std::move(settings)));
  settings = settings_of({.verify = PeerCheck::none});
  settings.deny = {{Kind::dns, "x"}};
  assert_true(refuses(std::move(settings)));
  settings = settings_of({});
  settings.allow = {{Kind::ip, "nonsense"}};
  assert_true(refuses(std::move(settings)));
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_client_that_nothing_in_allow_fits),
      cmocka_unit_test(deny_wins),
      cmocka_unit_test(a_certificate_is_only_judged_if_it_comes),
      cmocka_unit_test(trust_comes_first),
      cmocka_unit_test(a_server_may_be_judged_too),
      cmocka_unit_test(a_session_is_not_resumed_under_other_rules),
      cmocka_unit_test(contradictions_are_refused),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
