// Authenticated encryption (RFC 5116) for the record layer, by the fastest back
// end that this machine has.
//
// Keys are plain data: expanded key schedules live in a per-process cache, are
// found by AeadKey::id and rebuilt when missing, so a connection can be shared
// across fork and costs no heap. All functions are thread-safe, take no lock
// that can block, allocate nothing after a back end's first use, and touch no
// stdio.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/iov_cursor.h"

namespace gaiter::engine {

enum class Cipher : uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305 };
enum class BackEnd : uint8_t { openssl, ipsec_mb };

inline constexpr size_t aead_tag_length = 16;
inline constexpr size_t aead_nonce_length = 12;
using Nonce = uint8_t[aead_nonce_length];

inline constexpr size_t key_length(Cipher cipher) {
  return cipher == Cipher::aes_128_gcm ? 16 : 32;
}

// One direction's key. `id` names it in the cache of expanded keys: unique per
// key, from next_aead_key_id(), never 0.
struct AeadKey {
  uint64_t id;
  Cipher cipher;
  BackEnd back_end;
  uint8_t key[32];
};

// A number that no other key of this process or of its fork family has; never 0.
uint64_t next_aead_key_id();

// Encrypts `length` bytes taken from `plaintext`, then `trailer` (0 or 1 bytes:
// TLS 1.3's inner content type), to `out`, which gets length + trailer.size() +
// aead_tag_length bytes. `out` overlaps no source, except that a source piece
// may be exactly where its ciphertext goes (in place).
void aead_seal(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
               IovCursor& plaintext, size_t length, std::span<const uint8_t> trailer, uint8_t* out);

// Decrypts `text` (ciphertext, then the tag) and verifies the tag. The first
// `sink_length` plaintext bytes go to `sink`, the others stay where their
// ciphertext was. False = the tag is wrong: then everything written was wiped.
[[nodiscard]] bool aead_open(const AeadKey& key, const Nonce& nonce,
                             std::span<const uint8_t> additional, std::span<uint8_t> text,
                             IovCursor& sink, size_t sink_length);

// Forgets the expanded form of `key`; call when a connection ends or changes
// keys. Wipes what it can reach.
void aead_forget(const AeadKey& key);

// The back end to use for `cipher` here: the fastest whose known-answer
// self-test passed; openssl, though not available(), if none did. Runs the
// self-tests at the first call.
BackEnd best_back_end(Cipher cipher);

// Whether `back_end` can do `cipher` on this CPU and passed its self-test.
bool available(BackEnd back_end, Cipher cipher);

// "ipsec-mb (vaes-avx512)", "openssl"; a static string.
const char* describe(BackEnd back_end);
const char* name(Cipher cipher);  // "AES-256-GCM"

// Version of the ipsec-mb library linked in, "" if built without.
const char* ipsec_mb_version();

// In a fork child, before any other call: repairs what other threads of the
// parent may have held. Async-signal-safe.
void aead_after_fork();

}  // namespace gaiter::engine
