#include "engine/hmac.h"

#include <openssl/crypto.h>

#include <cstring>

namespace gaiter::engine {
namespace {

struct Sha256 {
  using State = SHA256_CTX;
  static constexpr size_t block = SHA256_CBLOCK;
  static constexpr size_t length = SHA256_DIGEST_LENGTH;
  static constexpr auto start = SHA256_Init;
  static constexpr auto update = SHA256_Update;
  static constexpr auto finish = SHA256_Final;
};

struct Sha384 {
  using State = SHA512_CTX;
  static constexpr size_t block = SHA512_CBLOCK;
  static constexpr size_t length = SHA384_DIGEST_LENGTH;
  static constexpr auto start = SHA384_Init;
  static constexpr auto update = SHA384_Update;
  static constexpr auto finish = SHA384_Final;
};

template <class Sha>
void absorb_key(typename Sha::State& state, std::span<const uint8_t> key, uint8_t padding) {
  uint8_t block[Sha::block];
  std::memset(block, padding, sizeof block);
  for (size_t i = 0; i != key.size() && i != sizeof block; ++i) block[i] ^= key[i];
  Sha::start(&state);
  Sha::update(&state, block, sizeof block);
  OPENSSL_cleanse(block, sizeof block);
}

template <class Sha>
void key_both(typename Sha::State& inner, typename Sha::State& outer,
              std::span<const uint8_t> key) {
  absorb_key<Sha>(inner, key, 0x36);
  absorb_key<Sha>(outer, key, 0x5c);
}

template <class Sha>
void run(const typename Sha::State& inner, const typename Sha::State& outer,
         std::initializer_list<std::span<const uint8_t>> pieces, uint8_t* out) {
  typename Sha::State state = inner;
  uint8_t digest[Sha::length];
  for (const std::span<const uint8_t> piece : pieces)
    Sha::update(&state, piece.data(), piece.size());
  Sha::finish(digest, &state);
  state = outer;
  Sha::update(&state, digest, sizeof digest);
  Sha::finish(out, &state);
  OPENSSL_cleanse(digest, sizeof digest);
  OPENSSL_cleanse(&state, sizeof state);
}

}  // namespace

void hash_of_nothing(Hash hash, uint8_t* out) {
  if (hash == Hash::sha256)
    SHA256(nullptr, 0, out);
  else
    SHA384(nullptr, 0, out);
}

Hmac::Hmac(Hash hash, std::span<const uint8_t> key) : hash_(hash) {
  if (hash == Hash::sha256)
    key_both<Sha256>(inner_.sha256, outer_.sha256, key);
  else
    key_both<Sha384>(inner_.sha384, outer_.sha384, key);
}

Hmac::~Hmac() {
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
}

void Hmac::compute(std::initializer_list<std::span<const uint8_t>> pieces, uint8_t* out) const {
  if (hash_ == Hash::sha256)
    run<Sha256>(inner_.sha256, outer_.sha256, pieces, out);
  else
    run<Sha384>(inner_.sha384, outer_.sha384, pieces, out);
}

}  // namespace gaiter::engine
