// What all connections of one rule share: SSL_CTXs with every option set, one for
// each set of certificates, the trust, who is allowed, the ticket keys, the client's
// session cache.
#pragma once

#include <openssl/ssl.h>

#include <expected>
#include <memory>
#include <string>

#include "engine/context_settings.h"
#include "engine/failure.h"
#include "engine/peer_cache.h"
#include "engine/sessions.h"

namespace gaiter::engine {

class Authorisation;
class ServerNames;
class Staples;
class TicketKeys;

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
  const Authorisation& authorisation() const { return *authorisation_; }

  // Role server.
  const ServerNames& server_names() const { return *server_names_; }
  const Staples& staples() const { return *staples_; }
  const TicketKeys& ticket_keys() const { return *ticket_keys_; }

  SessionCache& sessions() const { return sessions_; }  // role client
  PeerCache& peers() const { return peers_; }

 private:
  explicit Context(ContextSettings settings);

  std::expected<void, Failure> set_up();
  std::expected<SSL_CTX*, Failure> make_ssl_context(
      const std::vector<keyring::Identity>& identities) const;

  const ContextSettings settings_;
  SSL_CTX* ssl_context_ = nullptr;
  std::unique_ptr<const Authorisation> authorisation_;
  std::unique_ptr<ServerNames> server_names_;
  std::unique_ptr<Staples> staples_;
  std::unique_ptr<const TicketKeys> ticket_keys_;
  mutable SessionCache sessions_;
  mutable PeerCache peers_{32, std::chrono::minutes(5)};
};

}  // namespace gaiter::engine
