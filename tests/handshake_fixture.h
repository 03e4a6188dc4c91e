// For tests of the handshake: our ends, ready made, and how to run them against
// the foreign peer of tests/tls_peer.h.
#pragma once

#include <csetjmp>
#include <cstdarg>

#include "tests/tls_peer.h"

extern "C" {
#include <cmocka.h>
}

namespace gaiter::engine {

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

inline const World& world() {
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

inline ContextSettings settings_of(const Ours& ours) {
  ContextSettings settings;
  settings.role = ours.role;
  settings.min_version = ours.min_version;
  settings.client_auth = ours.client_auth;
  settings.verify = ours.verify;
  if (ours.identity != nullptr) settings.identities.push_back(identity_of(*ours.identity));
  if (ours.trusts != nullptr) settings.trust = trusting({ours.trusts});
  settings.session_scope = "a test";
  return settings;
}

inline ContextRef context(ContextSettings settings) {
  auto made = Context::make(std::move(settings));
  if (!made) print_error("%s\n", made.error().reason.c_str());
  assert_true(made.has_value());
  return *made;
}

inline ContextRef context(const Ours& ours) { return context(settings_of(ours)); }

inline ContextRef server_context(PeerCertificate client_auth = PeerCertificate::none,
                                 const Issued* identity = nullptr) {
  return context({.role = Role::server,
                  .identity = identity != nullptr ? identity : &world().server,
                  .client_auth = client_auth});
}

inline std::unique_ptr<Handshake> start(const ContextRef& with,
                                        const std::string& name = "server.example") {
  return Handshake::start(with, name, "key");
}

// What advance() did with `input`: what is left of it, and what it answers.
struct Step {
  Handshake::State state;
  Data rest;
  Data output;
};

inline Step advance(Handshake& handshake, const Data& input) {
  std::span<const uint8_t> left(input);
  Step step;
  step.state = handshake.advance(left, step.output);
  step.rest.assign(left.begin(), left.end());
  return step;
}

inline void must_be(const Handshake& handshake, Handshake::State actual,
                    Handshake::State expected) {
  if (actual == Handshake::State::failed && expected != actual)
    print_error("%s\n", handshake.failure().reason.c_str());
  assert_int_equal(static_cast<int>(actual), static_cast<int>(expected));
}

// Runs ours against a foreign peer as far as it goes. Bytes that ours left are
// in `rest`.
inline Step run(Handshake& ours, ForeignPeer& peer) {
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

inline Secured secure(Handshake& ours, ForeignPeer& peer) {
  const Step step = run(ours, peer);
  must_be(ours, step.state, Handshake::State::done);
  assert_true(step.rest.empty());
  assert_int_equal(SSL_is_init_finished(peer.ssl), 1);
  return ours.take();
}

inline void must_talk(Secured& ours, ForeignPeer& peer) {
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

inline void must_fail(Handshake& ours, Handshake::State state, Cause cause, const char* words) {
  must_be(ours, state, Handshake::State::failed);
  const Failure& failure = ours.failure();
  if (failure.cause != cause || failure.reason.find(words) == std::string::npos)
    print_error("cause %d: %s\n", static_cast<int>(failure.cause), failure.reason.c_str());
  assert_int_equal(static_cast<int>(failure.cause), static_cast<int>(cause));
  assert_true(failure.reason.find(words) != std::string::npos);
}

// How a handshake of ours ended, and the alert that the peer got (-1: none).
struct Attempt {
  std::unique_ptr<Handshake> handshake;
  Handshake::State state;
  int alert;
};

inline Attempt attempt(const ContextRef& ours, const std::string& name, ForeignPeer& peer) {
  auto handshake = start(ours, name);
  const Step step = run(*handshake, peer);
  if (step.state == Handshake::State::failed) peer.read();
  return {std::move(handshake), step.state, peer.alert};
}

// Our client against a server with `shown`.
inline Attempt attempt(const ContextRef& ours, const std::string& name, const Issued& shown,
                       int version = 0) {
  const ContextPtr theirs = foreign_context({.version = version, .identity = &shown});
  ForeignPeer peer(theirs.get());
  return attempt(ours, name, peer);
}

// Our server against a client with `shown`, or without a certificate.
inline Attempt attempt_by(const ContextRef& ours, const Issued* shown, int version = 0) {
  const ContextPtr theirs =
      foreign_context({.role = Role::client, .version = version, .identity = shown});
  ForeignPeer peer(theirs.get());
  return attempt(ours, "", peer);
}

}  // namespace gaiter::engine
