// Resumption: what is resumed, what must not be, and the client's cache.
#include "engine/session_end.h"
#include "engine/sessions.h"

#include <ctime>
#include <thread>

#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

constexpr int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

// Our client once against `theirs`, with data both ways, so that tickets come.
bool client_resumes(const ContextRef& ours, SSL_CTX* theirs,
                    const std::string& name = "server.example", const std::string& key = "key") {
  ForeignPeer peer(theirs);
  const auto handshake = Handshake::start(ours, name, key);
  const Step step = run(*handshake, peer);
  must_be(*handshake, step.state, Handshake::State::done);
  Secured secured = handshake->take();
  assert_int_equal(secured.summary.resumed, SSL_session_reused(peer.ssl));
  // Tickets came right behind the handshake.
  opened(secured.read, step.rest, secured.tickets.get());
  must_talk(secured, peer);
  return secured.summary.resumed;
}

// A plain OpenSSL client once against ours; it takes up the session that it gets.
bool server_resumes(const ContextRef& ours, SSL_CTX* theirs, SessionPtr& session) {
  ForeignPeer peer(theirs, session.get());
  const auto handshake = start(ours, "");
  Secured secured = secure(*handshake, peer);
  assert_int_equal(secured.summary.resumed, SSL_session_reused(peer.ssl));
  must_talk(secured, peer);
  if (!peer.sessions.empty()) session = std::move(peer.sessions.back());
  return secured.summary.resumed;
}

void our_client_resumes(void**) {
  for (const int version : versions) {
    for (const size_t tickets : {size_t{1}, size_t{2}, size_t{4}}) {
      const ContextRef ours = context(Ours{});
      const ContextPtr theirs =
          foreign_context({.version = version, .identity = &world().server, .tickets = tickets});
      assert_false(client_resumes(ours, theirs.get()));
      for (int i = 0; i < 3; ++i) assert_true(client_resumes(ours, theirs.get()));
    }
  }
}

void our_server_lets_resume(void**) {
  for (const int version : versions) {
    const ContextRef ours = server_context();
    const ContextPtr theirs = foreign_context({.role = Role::client, .version = version});
    SessionPtr session;
    assert_false(server_resumes(ours, theirs.get(), session));
    for (int i = 0; i < 3; ++i) assert_true(server_resumes(ours, theirs.get(), session));
  }
}

void a_session_may_be_used_again(void**) {
  // Connections at the same time have but one ticket between them, and a server
  // need not send any more.
  for (const int version : versions) {
    const ContextRef ours = context(Ours{});
    const ContextPtr theirs =
        foreign_context({.version = version, .identity = &world().server, .tickets = 1});
    assert_false(client_resumes(ours, theirs.get()));
    SSL_CTX_set_num_tickets(theirs.get(), 0);
    for (int i = 0; i < 3; ++i) assert_true(client_resumes(ours, theirs.get()));
  }
}

void sessions_stay_with_their_peer_and_context(void**) {
  for (const int version : versions) {
    const ContextRef ours = context(Ours{});
    const ContextPtr theirs =
        foreign_context({.version = version, .identity = &world().server, .tickets = 1});
    assert_false(client_resumes(ours, theirs.get()));
    assert_false(client_resumes(ours, theirs.get(), "a.wild.example"));
    assert_false(client_resumes(ours, theirs.get(), "server.example", "another key"));
    assert_false(client_resumes(context(Ours{}), theirs.get()));
    assert_true(client_resumes(ours, theirs.get()));
    assert_true(client_resumes(ours, theirs.get(), "a.wild.example"));
  }
}

void a_server_that_forgot_leads_to_a_full_handshake(void**) {
  for (const int version : versions) {
    const ContextRef ours = context(Ours{});
    const ForeignSettings settings{.version = version, .identity = &world().server, .tickets = 1};
    assert_false(client_resumes(ours, foreign_context(settings).get()));
    const ContextPtr restarted = foreign_context(settings);
    assert_false(client_resumes(ours, restarted.get()));
    assert_true(client_resumes(ours, restarted.get()));
  }
}

void a_failure_spoils_the_session_that_was_offered(void**) {
  const ContextRef ours = context(Ours{});
  const ContextPtr theirs =
      foreign_context({.version = TLS1_3_VERSION, .identity = &world().server, .tickets = 1});
  assert_false(client_resumes(ours, theirs.get()));
  assert_int_equal(ours->sessions().size(), 1);
  const auto handshake = start(ours);
  advance(*handshake, {});
  const Step step = advance(*handshake, {21, 3, 3, 0, 2, 2, SSL_AD_HANDSHAKE_FAILURE});
  must_fail(*handshake, step.state, Cause::peer_refused, "handshake_failure");
  assert_int_equal(ours->sessions().size(), 0);
  assert_false(client_resumes(ours, theirs.get()));
}

void tickets_that_are_garbage_do_no_harm(void**) {
  const ContextRef ours = context(Ours{});
  const ContextPtr theirs =
      foreign_context({.version = TLS1_3_VERSION, .identity = &world().server, .tickets = 2});
  ForeignPeer peer(theirs.get());
  const auto handshake = start(ours);
  const Step step = run(*handshake, peer);
  Secured secured = handshake->take();
  Data damaged = step.rest;
  damaged[20] ^= 1;
  secured.tickets->take(damaged);
  secured.tickets->take(step.rest);
  secured.tickets->take({});
  assert_int_equal(ours->sessions().size(), 0);
}

// ---- what a server must look at again ----

void a_session_without_certificate_opens_no_guarded_door(void**) {
  for (const int version : versions) {
    const ContextRef open_door = server_context(PeerCertificate::optional);
    const ContextRef guarded = server_context(PeerCertificate::required);
    const ContextPtr nobody = foreign_context({.role = Role::client, .version = version});
    SessionPtr session;
    assert_false(server_resumes(open_door, nobody.get(), session));
    ForeignPeer peer(nobody.get(), session.get());
    const auto handshake = start(guarded, "");
    const Step step = run(*handshake, peer);
    must_fail(*handshake, step.state, Cause::no_certificate, "");

    const ContextPtr somebody =
        foreign_context({.role = Role::client, .version = version, .identity = &world().client});
    session.reset();
    assert_false(server_resumes(open_door, somebody.get(), session));
    assert_false(server_resumes(guarded, somebody.get(), session));  // made under other rules
  }
}

void a_session_of_another_scope_is_not_resumed(void**) {
  for (const int version : versions) {
    const ContextRef one = server_context();
    ContextSettings settings;
    settings.role = Role::server;
    settings.identities.push_back(identity_of(world().server));
    settings.session_scope = "another scope";
    const ContextRef other = *Context::make(std::move(settings));
    const ContextPtr theirs = foreign_context({.role = Role::client, .version = version});
    SessionPtr session;
    assert_false(server_resumes(one, theirs.get(), session));
    assert_false(server_resumes(other, theirs.get(), session));
  }
}

// A peer whose certificate expired, at an end that did not look at the time when
// the session began.
TrustStorePtr timeless_trust() {
  TrustStorePtr trust = trusting({&world().ca});
  X509_STORE_set_flags(trust.get(), X509_V_FLAG_NO_CHECK_TIME);
  return trust;
}

void a_certificate_that_expired_meanwhile_ends_resumption(void**) {
  const Issued old_server = issue(
      {.common_name = "old", .names = "DNS:server.example", .valid_from = -60, .valid_until = -30},
      &world().ca);
  const Issued old_client = issue(
      {.common_name = "old", .names = "", .valid_from = -60, .valid_until = -30}, &world().ca);
  for (const int version : versions) {
    ContextSettings settings;
    settings.trust = timeless_trust();
    const ContextRef client = *Context::make(std::move(settings));
    const ContextPtr their_server =
        foreign_context({.version = version, .identity = &old_server, .tickets = 1});
    assert_false(client_resumes(client, their_server.get()));
    assert_false(client_resumes(client, their_server.get()));

    settings = {};
    settings.role = Role::server;
    settings.identities.push_back(identity_of(world().server));
    settings.client_auth = PeerCertificate::required;
    settings.trust = timeless_trust();
    const ContextRef server = *Context::make(std::move(settings));
    const ContextPtr their_client =
        foreign_context({.role = Role::client, .version = version, .identity = &old_client});
    SessionPtr session;
    assert_false(server_resumes(server, their_client.get(), session));
    assert_false(server_resumes(server, their_client.get(), session));
  }
}

void a_client_with_certificate_resumes_with_it(void**) {
  for (const int version : versions) {
    const ContextRef server = server_context(PeerCertificate::required);
    const ContextPtr theirs =
        foreign_context({.role = Role::client, .version = version, .identity = &world().client});
    SessionPtr session;
    assert_false(server_resumes(server, theirs.get(), session));
    ForeignPeer peer(theirs.get(), session.get());
    const auto handshake = start(server, "");
    const Secured secured = secure(*handshake, peer);
    assert_true(secured.summary.resumed);
    assert_string_equal(secured.summary.peer.c_str(), "CN=client-7");
  }
}

// ---- the cache ----

std::string id_of(const SessionPtr& session) {
  unsigned length = 0;
  const uint8_t* const id = SSL_SESSION_get_id(session.get(), &length);
  return std::string(id, id + length);
}

SessionPtr some_session() {
  SessionPtr session(SSL_SESSION_new());
  static uint8_t id[32];
  ++id[0];
  SSL_SESSION_set1_id(session.get(), id, sizeof id);
  SSL_SESSION_set_timeout(session.get(), 100);
  set_session_end(session.get(), std::time(nullptr) + 100);
  return session;
}

void the_newest_session_of_a_key_wins(void**) {
  SessionCache cache(4);
  assert_null(cache.get("a").get());
  SessionPtr first = some_session(), second = some_session();
  const std::string newest = id_of(second);
  cache.put("a", std::move(first));
  cache.put("a", std::move(second));
  assert_int_equal(cache.size(), 1);
  for (int i = 0; i < 2; ++i) assert_true(id_of(cache.get("a")) == newest);
  assert_null(cache.get("b").get());
}

void the_least_used_key_goes_first(void**) {
  SessionCache cache(3);
  for (const char* key : {"a", "b", "c"}) cache.put(key, some_session());
  assert_non_null(cache.get("a").get());
  cache.put("d", some_session());
  assert_int_equal(cache.size(), 3);
  assert_null(cache.get("b").get());
  for (const char* key : {"a", "c", "d"}) assert_non_null(cache.get(key).get());
}

void only_the_session_that_failed_is_forgotten(void**) {
  SessionCache cache(3);
  SessionPtr old = some_session();
  cache.put("a", some_session());
  cache.forget("a", old.get());
  cache.forget("b", old.get());
  assert_int_equal(cache.size(), 1);
  cache.forget("a", cache.get("a").get());
  assert_int_equal(cache.size(), 0);
}

void old_sessions_are_dropped(void**) {
  SessionCache cache(3);
  SessionPtr session = some_session();
  SSL_SESSION_set_time(session.get(), std::time(nullptr) - 101);
  cache.put("a", std::move(session));
  assert_null(cache.get("a").get());
  assert_int_equal(cache.size(), 0);
}

void threads_may_share_a_cache(void**) {
  SessionCache cache(8);
  const SessionPtr session = some_session();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::string key = std::to_string((i * 7 + t) % 12);
        if (i % 3 == 0) cache.put(key, SessionPtr(SSL_SESSION_dup(session.get())));
        const SessionPtr found = cache.get(key);
        if (found != nullptr && i % 50 == 0) cache.forget(key, found.get());
      }
    });
  for (std::thread& thread : threads) thread.join();
  assert_true(cache.size() <= 8);
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(our_client_resumes),
      cmocka_unit_test(our_server_lets_resume),
      cmocka_unit_test(a_session_may_be_used_again),
      cmocka_unit_test(sessions_stay_with_their_peer_and_context),
      cmocka_unit_test(a_server_that_forgot_leads_to_a_full_handshake),
      cmocka_unit_test(a_failure_spoils_the_session_that_was_offered),
      cmocka_unit_test(tickets_that_are_garbage_do_no_harm),
      cmocka_unit_test(a_session_without_certificate_opens_no_guarded_door),
      cmocka_unit_test(a_session_of_another_scope_is_not_resumed),
      cmocka_unit_test(a_certificate_that_expired_meanwhile_ends_resumption),
      cmocka_unit_test(a_client_with_certificate_resumes_with_it),
      cmocka_unit_test(the_newest_session_of_a_key_wins),
      cmocka_unit_test(the_least_used_key_goes_first),
      cmocka_unit_test(only_the_session_that_failed_is_forgotten),
      cmocka_unit_test(old_sessions_are_dropped),
      cmocka_unit_test(threads_may_share_a_cache),
  };
  return cmocka_run_group_tests_name("sessions", tests, nullptr, nullptr);
}
