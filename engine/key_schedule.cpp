#include "engine/key_schedule.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "keyring/openssl.h"

namespace gaiter::engine {
namespace {

using MacPtr = std::unique_ptr<EVP_MAC_CTX, OpenSslDeleter<EVP_MAC_CTX_free>>;
using Bytes = std::span<const uint8_t>;

constexpr size_t max_hash_length = 48;

size_t hash_length(Hash hash) { return hash == Hash::sha256 ? 32 : 48; }

// An HMAC that is ready but for its key. Copying it costs no look-up in OpenSSL's
// tables of algorithms, hence takes none of their locks inside a hook.
MacPtr make_hmac(const char* digest) {
  EVP_MAC* const mac = EVP_MAC_fetch(library_context(), OSSL_MAC_NAME_HMAC, nullptr);
  if (mac == nullptr) return nullptr;
  MacPtr context(EVP_MAC_CTX_new(mac));
  EVP_MAC_free(mac);
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
      OSSL_PARAM_construct_end()};
  // Only an HMAC that has some key can be copied.
  const uint8_t placeholder[1] = {};
  if (context && EVP_MAC_init(context.get(), placeholder, sizeof placeholder, parameters) != 1)
    context.reset();
  return context;
}

const EVP_MAC_CTX* hmac_template(Hash hash) {
  // Never freed: a preload has no safe moment to do so.
  static const EVP_MAC_CTX* const sha256 = make_hmac("SHA256").release();
  static const EVP_MAC_CTX* const sha384 = make_hmac("SHA384").release();
  return hash == Hash::sha256 ? sha256 : sha384;
}

// HMAC of the concatenated `pieces`. False if there is no memory.
[[nodiscard]] bool hmac(Hash hash, Bytes key, std::initializer_list<Bytes> pieces, uint8_t* out) {
  const EVP_MAC_CTX* const blank = hmac_template(hash);
  const MacPtr mac(blank != nullptr ? EVP_MAC_CTX_dup(blank) : nullptr);
  if (!mac || EVP_MAC_init(mac.get(), key.data(), key.size(), nullptr) != 1) return false;
  for (const Bytes piece : pieces)
    if (EVP_MAC_update(mac.get(), piece.data(), piece.size()) != 1) return false;
  size_t length = 0;
  return EVP_MAC_final(mac.get(), out, &length, max_hash_length) == 1;
}

// RFC 8446 7.1, with an empty context. `out` is at most one hash long, so that
// HKDF-Expand (RFC 5869 2.3) is a single HMAC.
[[nodiscard]] bool expand_label(Hash hash, Bytes secret, const char* label,
                                std::span<uint8_t> out) {
  constexpr char prefix[] = "tls13 ";
  const size_t label_length = std::strlen(label);
  const uint8_t head[] = {0, static_cast<uint8_t>(out.size()),
                          static_cast<uint8_t>(sizeof prefix - 1 + label_length)};
  const uint8_t empty_context_and_counter[] = {0, 1};
  uint8_t block[max_hash_length];
  const bool done = hmac(hash, secret,
                         {head,
                          {reinterpret_cast<const uint8_t*>(prefix), sizeof prefix - 1},
                          {reinterpret_cast<const uint8_t*>(label), label_length},
                          empty_context_and_counter},
                         block);
  if (done) std::memcpy(out.data(), block, out.size());
  OPENSSL_cleanse(block, sizeof block);
  return done;
}

// RFC 5246 5: P_hash of "key expansion" and the two randoms.
[[nodiscard]] bool expand_key_block(Hash hash, Bytes master_secret, Bytes server_random,
                                    Bytes client_random, std::span<uint8_t> out) {
  static constexpr uint8_t label[] = {'k', 'e', 'y', ' ', 'e', 'x', 'p',
                                      'a', 'n', 's', 'i', 'o', 'n'};
  const size_t length = hash_length(hash);
  uint8_t a[max_hash_length], block[max_hash_length];
  bool done = hmac(hash, master_secret, {label, server_random, client_random}, a);
  while (done && !out.empty()) {
    done = hmac(hash, master_secret, {{a, length}, label, server_random, client_random}, block);
    const size_t step = std::min(length, out.size());
    std::memcpy(out.data(), block, step);
    out = out.subspan(step);
    if (!out.empty()) done = done && hmac(hash, master_secret, {{a, length}}, a);
  }
  OPENSSL_cleanse(a, sizeof a);
  OPENSSL_cleanse(block, sizeof block);
  return done;
}

void leave_without_keys(DirectionState& direction) {
  OPENSSL_cleanse(direction.key.key, sizeof direction.key.key);
  OPENSSL_cleanse(direction.iv, sizeof direction.iv);
  OPENSSL_cleanse(direction.secret, sizeof direction.secret);
  direction.sequence = exhausted_sequence;
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
  if (!expand_label(hash, secret, "key", {direction.key.key, key_length(cipher)}) ||
      !expand_label(hash, secret, "iv", direction.iv))
    leave_without_keys(direction);
}

void update_tls13(DirectionState& direction) {
  aead_forget(direction.key);
  std::array<uint8_t, max_hash_length> next;
  const size_t length = hash_length(direction.hash);
  if (expand_label(direction.hash, {direction.secret, length}, "traffic upd",
                   {next.data(), length}))
    derive_tls13(direction, direction.key.cipher, direction.key.back_end, direction.hash,
                 {next.data(), length});
  else
    leave_without_keys(direction);
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
  uint8_t block[2 * (32 + 12)] = {};
  const bool done =
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
    if (!done) leave_without_keys(*direction);
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
