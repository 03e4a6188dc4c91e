// What may be answered from memory about a peer's certificates, and what not.
#include "engine/peer_cache.h"

#include <unistd.h>

#include <algorithm>

#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

void must_succeed(const ContextRef& ours, const Issued& shown,
                  const std::string& name = "server.example") {
  const Attempt made = attempt(ours, name, shown);
  must_be(*made.handshake, made.state, Handshake::State::done);
}

// Without sessions, so that each handshake is a full one.
ContextRef fresh_client(const Issued* trusts = &world().ca) {
  const ContextRef made = context({.trusts = trusts});
  SSL_CTX_set_session_cache_mode(made->ssl_context(), SSL_SESS_CACHE_OFF);
  return made;
}

void verifies_a_peer_once(void**) {
  const ContextRef ours = fresh_client();
  for (int i = 0; i != 5; ++i) {
    must_succeed(ours, world().server);
    assert_int_equal(ours->peers().size(), 1);
  }
  must_succeed(ours, world().rsa_server);
  must_succeed(ours, world().server);
  assert_int_equal(ours->peers().size(), 2);
}

void finds_only_what_is_the_same_to_the_byte(void**) {
  const ContextRef ours = fresh_client();
  must_succeed(ours, world().server);
  uint8_t* bytes = nullptr;
  const int length = i2d_X509(world().server.certificate.get(), &bytes);
  Data copy(bytes, bytes + length);
  OPENSSL_free(bytes);
  const CertificatePtr found(ours->peers().parsed(copy));
  assert_non_null(found.get());
  assert_int_equal(X509_cmp(found.get(), world().server.certificate.get()), 0);
  for (size_t i = 0; i != copy.size(); ++i) {
    copy[i] ^= 1;
    assert_null(ours->peers().parsed(copy));
    copy[i] ^= 1;
  }
  assert_null(ours->peers().parsed(std::span(copy).first(copy.size() - 1)));
  copy.push_back(0);
  assert_null(ours->peers().parsed(copy));
  assert_null(ours->peers().parsed({}));
}

void answers_for_no_other_name(void**) {
  const ContextRef ours = fresh_client();
  must_succeed(ours, world().server);
  const Attempt other = attempt(ours, "other.example", world().server);
  must_fail(*other.handshake, other.state, Cause::wrong_name, "other.example");
  must_succeed(ours, world().server, "a.wild.example");
  assert_int_equal(ours->peers().size(), 2);
}

void answers_for_no_other_trust(void**) {
  must_succeed(fresh_client(), world().server);
  const Attempt stranger =
      attempt(fresh_client(&world().other_ca), "server.example", world().server);
  must_fail(*stranger.handshake, stranger.state, Cause::untrusted, "");
}

// A thief has the certificate, which is public, but not its key. OpenSSL does not
// let one set that up, so what it signed is replaced: TLS 1.2 has it in clear.
void answers_for_no_other_key(void**) {
  const ContextRef ours = fresh_client();
  const ContextPtr theirs =
      foreign_context({.version = TLS1_2_VERSION, .identity = &world().server});
  for (const bool stolen : {false, true, false}) {
    ForeignPeer peer(theirs.get());
    auto handshake = start(ours);
    const Data hello = advance(*handshake, {}).output;
    Data answer = peer.exchange(hello);
    // ServerHelloDone, 4 bytes in a record of its own or behind the signature.
    const Data done = {14, 0, 0, 0};
    const auto end = std::ranges::find_end(answer, done);
    assert_false(end.empty());
    const bool own_record = *(end.begin() - 5) == 22 && *(end.begin() - 1) == 4;
    if (stolen) *(end.begin() - (own_record ? 6 : 1)) ^= 1;
    const Step step = advance(*handshake, answer);
    must_be(*handshake, step.state, stolen ? Handshake::State::failed : Handshake::State::going_on);
    assert_int_equal(ours->peers().size(), 1);
  }
}

void remembers_nothing_that_was_refused(void**) {
  const ContextRef ours = fresh_client();
  for (int i = 0; i != 2; ++i) {
    const Attempt stranger = attempt(ours, "server.example", world().stranger);
    must_be(*stranger.handshake, stranger.state, Handshake::State::failed);
  }
  assert_int_equal(ours->peers().size(), 0);
}

void sees_certificates_expire(void**) {
  const Issued brief =
      issue({.common_name = "brief", .names = "DNS:server.example", .valid_until = 2}, &world().ca);
  const ContextRef ours = fresh_client();
  must_succeed(ours, brief);
  assert_int_equal(ours->peers().size(), 1);
  usleep(2'500'000);
  const Attempt late = attempt(ours, "server.example", brief);
  must_fail(*late.handshake, late.state, Cause::expired, "");
}

void sees_the_issuer_expire(void**) {
  const Issued ca =
      issue({.common_name = "Brief CA", .names = "", .valid_until = 2, .is_ca = true});
  const Issued server = issue({.common_name = "s", .names = "DNS:server.example"}, &ca);
  const ContextRef ours = fresh_client(&ca);
  must_succeed(ours, server);
  usleep(2'500'000);
  const Attempt late = attempt(ours, "server.example", server);
  must_be(*late.handshake, late.state, Handshake::State::failed);
}

void forgets_the_oldest(void**) {
  const ContextRef ours = fresh_client();
  for (int i = 0; i != 40; ++i)
    must_succeed(ours, world().server, "n" + std::to_string(i) + ".wild.example");
  assert_int_equal(ours->peers().size(), 32);
}

void remembers_clients_too(void**) {
  const ContextRef ours = server_context(PeerCertificate::required);
  for (const auto& [identity, fine] :
       {std::pair{&world().client, true}, std::pair{&world().client, true},
        std::pair{&world().stranger, false}}) {
    const ContextPtr theirs = foreign_context({.role = Role::client, .identity = identity});
    ForeignPeer peer(theirs.get());
    auto handshake = start(ours, "");
    const Step step = run(*handshake, peer);
    must_be(*handshake, step.state, fine ? Handshake::State::done : Handshake::State::failed);
    if (fine) assert_string_equal(handshake->take().summary.peer.c_str(), "CN=client-7");
  }
  assert_int_equal(ours->peers().size(), 1);
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(verifies_a_peer_once),
      cmocka_unit_test(finds_only_what_is_the_same_to_the_byte),
      cmocka_unit_test(answers_for_no_other_name),
      cmocka_unit_test(answers_for_no_other_trust),
      cmocka_unit_test(answers_for_no_other_key),
      cmocka_unit_test(remembers_nothing_that_was_refused),
      cmocka_unit_test(sees_certificates_expire),
      cmocka_unit_test(sees_the_issuer_expire),
      cmocka_unit_test(forgets_the_oldest),
      cmocka_unit_test(remembers_clients_too),
  };
  return cmocka_run_group_tests_name("peer_cache", tests, nullptr, nullptr);
}
