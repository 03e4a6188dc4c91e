// What seal() and receive() have in common: how a record's nonce and additional
// data are made. TLS 1.3: RFC 8446 5.2-5.3; TLS 1.2: RFC 5246 6.2.3.3 with
// RFC 5288 3 (GCM) and RFC 7905 2 (ChaCha20-Poly1305).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/record_state.h"

namespace gaiter::engine {

inline constexpr size_t explicit_nonce_length = 8;
inline constexpr size_t tls12_additional_length = 13;

inline void store_be16(uint8_t* out, size_t value) {
  out[0] = static_cast<uint8_t>(value >> 8);
  out[1] = static_cast<uint8_t>(value);
}

inline size_t load_be16(const uint8_t* in) { return static_cast<size_t>(in[0] << 8 | in[1]); }

inline void store_be64(uint8_t* out, uint64_t value) {
  for (int i = 8; i-- != 0; value >>= 8) out[i] = static_cast<uint8_t>(value);
}

// TLS 1.2 GCM sends 8 bytes of the nonce in each record.
inline bool has_explicit_nonce(const DirectionState& keys) {
  return keys.version == Version::tls12 && keys.key.cipher != Cipher::chacha20_poly1305;
}

// Bytes of a record before its ciphertext.
inline size_t text_offset(const DirectionState& keys) {
  return record_header_length + (has_explicit_nonce(keys) ? explicit_nonce_length : 0);
}

// `number` is the record's; `record` has the explicit nonce, if there is one.
inline void make_nonce(const DirectionState& keys, uint64_t number, const uint8_t* record,
                       Nonce& nonce) {
  std::memcpy(nonce, keys.iv, sizeof nonce);
  if (has_explicit_nonce(keys)) {
    std::memcpy(nonce + 4, record + record_header_length, explicit_nonce_length);
    return;
  }
  uint8_t sequence[8];
  store_be64(sequence, number);
  for (size_t i = 0; i != sizeof sequence; ++i) nonce[4 + i] ^= sequence[i];
}

inline void make_tls12_additional(uint64_t number, const uint8_t* record, size_t plaintext_length,
                                  uint8_t (&additional)[tls12_additional_length]) {
  store_be64(additional, number);
  std::memcpy(additional + 8, record, 3);  // type and version
  store_be16(additional + 11, plaintext_length);
}

}  // namespace gaiter::engine
