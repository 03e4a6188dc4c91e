// What a context shows of ourselves: certificates for every kind of peer, chosen by
// the name that a client asks for (RFC 6066 3).
#pragma once

#include <openssl/ssl.h>

#include <expected>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/failure.h"
#include "keyring/keyring.h"

namespace gaiter::engine {

// Gives `context` all of `identities`, at most one of each kind of key.
std::expected<void, Failure> set_identities(SSL_CTX* context,
                                            const std::vector<keyring::Identity>& identities);

// Server names, each with the context that has its certificates. Not changed any more
// once it is in use; then thread-safe.
class ServerNames {
 public:
  ServerNames() = default;
  ~ServerNames();
  ServerNames(const ServerNames&) = delete;
  ServerNames& operator=(const ServerNames&) = delete;

  // Takes over a reference. `pattern`: "www.example", or "*.example" for exactly one
  // label more; of equal ones the first counts.
  void add(std::string_view pattern, SSL_CTX* context);

  bool empty() const { return contexts_.empty(); }

  // By the name itself, else by the pattern for it; null if there is neither.
  SSL_CTX* find(std::string_view name) const;

 private:
  std::unordered_map<std::string, SSL_CTX*> contexts_;
};

}  // namespace gaiter::engine
