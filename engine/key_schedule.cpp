#include "engine/key_schedule.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/hkdf.h"

namespace gaiter::engine {
namespace {

using Bytes = std::span<const uint8_t>;

// RFC 5246 5: P_hash of "key expansion" and the two randoms.
void expand_key_block(Hash hash, Bytes master_secret, Bytes server_random, Bytes client_random,
                      std::span<uint8_t> out) {
  static constexpr uint8_t label[] = {'k', 'e', 'y', ' ', 'e', 'x', 'p',
                                      'a', 'n', 's', 'i', 'o', 'n'};
  const Hmac secret(hash, master_secret);
  const size_t length = hash_length(hash);
  uint8_t a[max_hash_length], block[max_hash_length];
  secret.compute({label, server_random, client_random}, a);
  for (;;) {
    secret.compute({{a, length}, label, server_random, client_random}, block);
    const size_t step = std::min(length, out.size());
    std::memcpy(out.data(), block, step);
    out = out.subspan(step);
    if (out.empty()) break;
    secret.compute({{a, length}}, a);
  }
  OPENSSL_cleanse(a, sizeof a);
  OPENSSL_cleanse(block, sizeof block);
}

void set_algorithms(DirectionState& direction, Version version, Cipher cipher, BackEnd back_end,
                    Hash hash) {
  direction = DirectionState{};
  direction.version = version;
  direction.hash = hash;
  direction.key.id = next_aead_key_id();
  direction.key.cipher = cipher;
  direction.key.back_end = back_end;
}

}  // namespace

void derive_tls13(DirectionState& direction, Cipher cipher, BackEnd back_end, Hash hash,
                  std::span<const uint8_t> traffic_secret) {
  set_algorithms(direction, Version::tls13, cipher, back_end, hash);
  const Bytes secret = traffic_secret.first(hash_length(hash));
  std::memcpy(direction.secret, secret.data(), secret.size());
  const Hmac hmac(hash, secret);
  expand_label(hmac, "key", {}, {direction.key.key, key_length(cipher)});
  expand_label(hmac, "iv", {}, direction.iv);
}

void update_tls13(DirectionState& direction) {
  aead_forget(direction.key);
  std::array<uint8_t, max_hash_length> next;
  const std::span<uint8_t> secret(next.data(), hash_length(direction.hash));
  expand_label(Hmac(direction.hash, {direction.secret, secret.size()}), "traffic upd", {}, secret);
  derive_tls13(direction, direction.key.cipher, direction.key.back_end, direction.hash, secret);
  OPENSSL_cleanse(next.data(), next.size());
}

void derive_tls12(DirectionState& client_write, DirectionState& server_write, Cipher cipher,
                  BackEnd back_end, Hash hash, std::span<const uint8_t, 48> master_secret,
                  std::span<const uint8_t, 32> client_random,
                  std::span<const uint8_t, 32> server_random) {
  // RFC 5246 6.3: no MAC keys with an AEAD; then both keys, then both IVs, which
  // are 4 bytes with GCM (RFC 5288 3) and 12 with ChaCha20 (RFC 7905 2).
  const size_t key = key_length(cipher);
  const size_t iv = cipher == Cipher::chacha20_poly1305 ? 12 : 4;
  uint8_t block[2 * (32 + 12)];
  expand_key_block(hash, master_secret, server_random, client_random, {block, 2 * (key + iv)});
  const uint8_t* from = block;
  for (DirectionState* direction : {&client_write, &server_write}) {
    set_algorithms(*direction, Version::tls12, cipher, back_end, hash);
    direction->sequence = 1;
    std::memcpy(direction->key.key, from, key);
    from += key;
  }
  for (DirectionState* direction : {&client_write, &server_write}) {
    std::memcpy(direction->iv, from, iv);
    from += iv;
  }
  OPENSSL_cleanse(block, sizeof block);
}

uint64_t key_update_limit(Version version, Cipher cipher) {
  if (version != Version::tls13) return exhausted_sequence;
  // RFC 8446 5.5: 2^24.5 full records with AES-GCM, without limit with ChaCha20.
  // A KeyUpdate costs nothing at these distances, so stay well below.
  return cipher == Cipher::chacha20_poly1305 ? uint64_t{1} << 48 : uint64_t{1} << 23;
}

}  // namespace gaiter::engine
