// The secrets that a step of a handshake derives from, keyed once each.
//
// TLS 1.3's key schedule (RFC 8446 7.1) derives some 20 secrets and keys from half as
// many secrets; keying HMAC is half the work of a short one.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "engine/hmac.h"

namespace gaiter::engine {

// While one lives on a thread, current() there is the newest. On the stack only; what it
// keeps is wiped when it goes. Nothing is allocated.
class KeyedSecrets {
 public:
  KeyedSecrets();
  ~KeyedSecrets();
  KeyedSecrets(const KeyedSecrets&) = delete;
  KeyedSecrets& operator=(const KeyedSecrets&) = delete;

  // This thread's, or null.
  static KeyedSecrets* current();

  // HMAC with `secret`, which is at most a hash long; good until the next call.
  const Hmac& find(Hash hash, std::span<const uint8_t> secret);

 private:
  struct Entry {
    std::array<uint8_t, max_hash_length> secret;
    size_t length;
    Hash hash;
    std::optional<Hmac> hmac;
  };
  std::array<Entry, 4> entries_;  // as many as are in use at one time
  size_t oldest_ = 0;
  KeyedSecrets* const outer_;
};

}  // namespace gaiter::engine
