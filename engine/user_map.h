// Which local user a certificate stands for: RACDCERT MAP's filters, SAFCheck's role.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "engine/context_settings.h"
#include "engine/peer_matcher.h"

namespace gaiter::engine {

// Immutable, thread-safe.
class UserMap {
 public:
  // The error says which pattern is wrong.
  static std::expected<UserMap, std::string> compile(const std::vector<UserFilter>& filters);

  // The user of the most specific filter that fits, or null: one by fingerprint before
  // all others, then the one with more alternative names, then with more of the
  // subject, then with more of the issuer; of equals the first.
  const std::string* find(const PeerNames& names) const;

 private:
  struct Entry {
    std::vector<PeerMatcher> patterns;  // all must fit
    std::string user;
  };
  std::vector<Entry> entries_;  // most specific first
};

}  // namespace gaiter::engine
