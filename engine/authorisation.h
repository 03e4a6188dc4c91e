// Authorisation: of the peers that trust vouches for, who may be on the other end.
//
// Compiled once a Context. Asked in each full handshake, when the peer's chain is
// verified and before we say that we are content; and again before a session is
// resumed.
#pragma once

#include <openssl/x509.h>

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "engine/context_settings.h"
#include "engine/failure.h"
#include "engine/peer_matcher.h"
#include "engine/user_map.h"

namespace gaiter::engine {

// Immutable, thread-safe.
class Authorisation {
 public:
  // Nobody whom `deny` fits; unless `allow` is empty, only whom it fits; with `map_user`,
  // only who stands for a local user. The error says which pattern is wrong.
  static std::expected<Authorisation, std::string> compile(const ContextSettings& settings);

  bool restricts() const { return !allow_.empty() || !deny_.empty() || user_map_; }

  // Whether the answer may be another one tomorrow, for the same certificate.
  bool changes() const { return user_map_.has_value(); }

  // Why the peer with this certificate is refused; nothing if it may be here. `ours`
  // is our role.
  std::optional<Failure> refuse(const X509* certificate, Role ours) const;

  // The local user that the certificate stands for; "" without map_user.
  std::string user_of(const X509* certificate) const;

 private:
  std::optional<Failure> refuse_user(const PeerNames& names) const;

  std::vector<PeerMatcher> allow_;
  std::vector<PeerMatcher> deny_;
  std::optional<UserMap> user_map_;
  bool (*user_exists_)(const std::string& user) = nullptr;
};

}  // namespace gaiter::engine
