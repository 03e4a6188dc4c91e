#include "engine/keyed_secrets.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace gaiter::engine {
namespace {

constinit thread_local KeyedSecrets* newest = nullptr;

}  // namespace

// What an entry holds is read only once it has an HMAC.
// cppcheck-suppress uninitMemberVar
KeyedSecrets::KeyedSecrets() : outer_(newest) { newest = this; }

KeyedSecrets::~KeyedSecrets() {
  newest = outer_;
  for (Entry& entry : entries_) {
    if (entry.hmac) OPENSSL_cleanse(entry.secret.data(), entry.length);
  }
}

KeyedSecrets* KeyedSecrets::current() { return newest; }

const Hmac& KeyedSecrets::find(Hash hash, std::span<const uint8_t> secret) {
  for (const Entry& entry : entries_) {
    if (entry.hmac && entry.hash == hash && entry.length == secret.size() &&
        CRYPTO_memcmp(entry.secret.data(), secret.data(), secret.size()) == 0)
      return *entry.hmac;
  }
  Entry& entry = entries_[oldest_];
  oldest_ = (oldest_ + 1) % entries_.size();
  std::ranges::copy(secret, entry.secret.begin());
  entry.length = secret.size();
  entry.hash = hash;
  return entry.hmac.emplace(hash, secret);
}

}  // namespace gaiter::engine
