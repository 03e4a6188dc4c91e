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

#include "engine/failure.h"
#include "engine/peer_matcher.h"
#include "engine/peer_pattern.h"
#include "engine/record_state.h"

namespace gaiter::engine {

// Immutable, thread-safe.
class Authorisation {
 public:
  // Nobody whom `deny` fits, and, unless `allow` is empty, only whom it fits. The
  // error says which pattern is wrong.
  static std::expected<Authorisation, std::string> compile(const std::vector<PeerPattern>& allow,
                                                           const std::vector<PeerPattern>& deny);

  bool restricts() const { return !allow_.empty() || !deny_.empty(); }

  // Why the peer with this certificate is refused; nothing if it may be here. `ours`
  // is our role.
  std::optional<Failure> refuse(const X509* certificate, Role ours) const;

 private:
  std::vector<PeerMatcher> allow_;
  std::vector<PeerMatcher> deny_;
};

}  // namespace gaiter::engine
