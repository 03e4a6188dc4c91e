// For tests of the AEAD: all the code there is, keys, and what is right according
// to a plain EVP call on flat buffers.
#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <csetjmp>
#include <cstdarg>
#include <cstdint>
#include <random>
#include <vector>

#include "engine/aead.h"
#include "engine/aead_ipsec_mb.h"
#include "keyring/openssl.h"

extern "C" {
#include <cmocka.h>
}

namespace gaiter::engine {

using Data = std::vector<uint8_t>;

inline constexpr Cipher ciphers[] = {Cipher::aes_128_gcm, Cipher::aes_256_gcm,
                                     Cipher::chacha20_poly1305};

inline std::mt19937 dice(20220613);

inline size_t roll(size_t below) { return below == 0 ? 0 : dice() % below; }

inline Data random_data(size_t length) {
  Data data(length);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(dice());
  return data;
}

inline AeadKey random_key(Cipher cipher, BackEnd back_end) {
  AeadKey key{next_aead_key_id(), cipher, back_end, {}};
  const Data bytes = random_data(key_length(cipher));
  std::copy(bytes.begin(), bytes.end(), key.key);
  return key;
}

// Runs `check` with every cipher on all code that can run here.
template <class Check>
void on_all_code(Check check) {
  for (const Cipher cipher : ciphers) {
    assert_true(available(BackEnd::openssl, cipher));
    check(cipher, BackEnd::openssl);
#ifdef GAITER_IPSEC_MB
    if (!available(BackEnd::ipsec_mb, cipher)) continue;
    for (const auto set :
         {InstructionSet::sse, InstructionSet::avx2, InstructionSet::vaes_avx512}) {
      // The last one that works is the one that would have been chosen.
      if (use_instruction_set(set)) check(cipher, BackEnd::ipsec_mb);
    }
#endif
  }
}

// ---- what is right: one EVP call on flat buffers ----

inline const char* evp_name(Cipher cipher) {
  return cipher == Cipher::aes_128_gcm   ? "AES-128-GCM"
         : cipher == Cipher::aes_256_gcm ? "AES-256-GCM"
                                         : "ChaCha20-Poly1305";
}

// Ciphertext and tag.
inline Data reference(const AeadKey& key, const Nonce& nonce, const Data& additional,
                      const Data& plain) {
  Data out(plain.size() + aead_tag_length);
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(library_context(), evp_name(key.cipher), nullptr);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  int length;
  assert_int_equal(EVP_EncryptInit_ex(context, cipher, nullptr, key.key, nonce), 1);
  EVP_EncryptUpdate(context, nullptr, &length, additional.data(),
                    static_cast<int>(additional.size()));
  EVP_EncryptUpdate(context, out.data(), &length, plain.data(), static_cast<int>(plain.size()));
  assert_int_equal(EVP_EncryptFinal_ex(context, out.data() + plain.size(), &length), 1);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, aead_tag_length, out.data() + plain.size());
  EVP_CIPHER_CTX_free(context);
  EVP_CIPHER_free(cipher);
  return out;
}

inline Data seal_flat(const AeadKey& key, const Nonce& nonce, const Data& additional,
                      const Data& plain) {
  Data from = plain;
  Data out(plain.size() + aead_tag_length);
  const iovec piece = {from.data(), from.size()};
  IovCursor cursor(&piece, 1);
  aead_seal(key, nonce, additional, cursor, plain.size(), {}, out.data());
  assert_true(cursor.empty());
  return out;
}

inline bool open_flat(const AeadKey& key, const Nonce& nonce, const Data& additional, Data& text) {
  IovCursor nowhere;
  return aead_open(key, nonce, additional, text, nowhere, 0);
}

}  // namespace gaiter::engine
