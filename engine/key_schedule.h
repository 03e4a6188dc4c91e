// From a handshake's secrets to record keys (RFC 8446 7.1-7.3, RFC 5246 6.3).
//
// Thread-safe; allocates nothing, cannot fail.
#pragma once

#include <cstdint>
#include <span>

#include "engine/record_state.h"

namespace gaiter::engine {

// TLS 1.3: fills key and iv from `traffic_secret` (32 or 48 bytes by `hash`),
// keeps the secret, gives a fresh key id. The sequence becomes 0.
void derive_tls13(DirectionState& direction, Cipher cipher, BackEnd back_end, Hash hash,
                  std::span<const uint8_t> traffic_secret);

// RFC 8446 7.2: application_traffic_secret_N+1, then as above. Forgets the old
// expanded key and wipes the old secret.
void update_tls13(DirectionState& direction);

// TLS 1.2: the key block from the master secret and the two randoms; client
// writes with the first half. Sequences become 1 (Finished was 0).
void derive_tls12(DirectionState& client_write, DirectionState& server_write, Cipher cipher,
                  BackEnd back_end, Hash hash, std::span<const uint8_t, 48> master_secret,
                  std::span<const uint8_t, 32> client_random,
                  std::span<const uint8_t, 32> server_random);

// The initial WriteState::key_update_at: how many records may be sealed under one
// key (RFC 8446 5.5). TLS 1.2 has no KeyUpdate, hence no such number: it is
// exhausted_sequence.
uint64_t key_update_limit(Version version, Cipher cipher);

}  // namespace gaiter::engine
