// HMAC (RFC 2104) with SHA-256 or SHA-384, for key derivation: one key, several
// messages.
//
// Built straight on SHA_CTX: through EVP the same HMAC of a short message costs
// four times as much, most of it in making and copying objects, and a handshake's
// hand-over needs up to eight. Nothing is allocated and nothing can fail.
#pragma once

#define OPENSSL_SUPPRESS_DEPRECATED  // SHA256_Init(3) and its like
#include <openssl/sha.h>

#include <cstdint>
#include <initializer_list>
#include <span>

#include "engine/record_state.h"

namespace gaiter::engine {

inline constexpr size_t max_hash_length = SHA384_DIGEST_LENGTH;

constexpr size_t hash_length(Hash hash) {
  return hash == Hash::sha256 ? SHA256_DIGEST_LENGTH : SHA384_DIGEST_LENGTH;
}

// Of the empty string. Writes hash_length().
void hash_of_nothing(Hash hash, uint8_t* out);

// Not thread-safe. Wiped when it goes.
class Hmac {
 public:
  // `key` is at most one block long: 64 bytes with SHA-256, 128 with SHA-384.
  Hmac(Hash hash, std::span<const uint8_t> key);
  ~Hmac();
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  // Of the concatenated `pieces`. Writes hash_length() bytes, which may be those
  // of a piece.
  void compute(std::initializer_list<std::span<const uint8_t>> pieces, uint8_t* out) const;

 private:
  // What SHA is after the block of key and padding.
  union Keyed {
    SHA256_CTX sha256;
    SHA512_CTX sha384;
  };
  const Hash hash_;
  Keyed inner_;
  Keyed outer_;
};

}  // namespace gaiter::engine
