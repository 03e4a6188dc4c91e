// What all connections of one rule share: an SSL_CTX with every option set, the
// identity, the trust, the ticket keys, the client's session cache.
#pragma once

#include <openssl/ssl.h>

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "engine/failure.h"
#include "engine/peer_cache.h"
#include "engine/record_state.h"
#include "engine/sessions.h"
#include "keyring/keyring.h"

namespace gaiter::engine {

enum class PeerCertificate { none, optional, required };  // asked of a client
enum class PeerCheck { full, chain, none };               // made of a server

struct ContextSettings {
  Role role = Role::client;
  Version min_version = Version::tls12;
  PeerCertificate client_auth = PeerCertificate::none;  // role server
  PeerCheck verify = PeerCheck::full;                   // role client
  // Role server needs an identity; a client may have one.
  std::optional<keyring::Identity> identity;
  // Needed unless nothing is verified.
  TrustStorePtr trust;
  // Names the rule and its generation: sessions are only resumed within it.
  std::string session_scope;
};

// Immutable after make() but for its caches, shared by threads and, copied,
// by fork children.
class Context {
 public:
  // Costs 0.1 to 20 ms: once a rule, never a connection.
  static std::expected<std::shared_ptr<const Context>, Failure> make(ContextSettings settings);

  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  SSL_CTX* ssl_context() const { return ssl_context_; }
  const ContextSettings& settings() const { return settings_; }
  SessionCache& sessions() const { return sessions_; }  // role client
  PeerCache& peers() const { return peers_; }

 private:
  Context() = default;
  ContextSettings settings_;
  SSL_CTX* ssl_context_ = nullptr;
  mutable SessionCache sessions_{256};
  mutable PeerCache peers_{32, std::chrono::minutes(5)};
};

}  // namespace gaiter::engine
