// The state of an open TLS connection, as plain data.
//
// After the handshake this is all that is left of it: two directions that share
// nothing, so one thread may read while another writes, and which may lie in
// memory shared between processes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/aead.h"

namespace gaiter::engine {

enum class Role : uint8_t { client, server };
enum class Version : uint16_t { tls12 = 0x0303, tls13 = 0x0304 };
enum class Hash : uint8_t { sha256, sha384 };

// RFC 8446 5.1, RFC 5246 6.2.1
enum class ContentType : uint8_t {
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23,
};

// RFC 8446 6, RFC 5246 7.2
enum class Alert : uint8_t {
  close_notify = 0,
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  handshake_failure = 40,
  illegal_parameter = 47,
  decode_error = 50,
  protocol_version = 70,
  internal_error = 80,
  user_canceled = 90,
  no_renegotiation = 100,
};

inline constexpr size_t record_header_length = 5;
inline constexpr size_t max_plaintext = 16384;
// Room that one sealed record of n plaintext bytes needs at most beyond n:
// header 5, TLS 1.2's explicit nonce 8 or TLS 1.3's content type 1, tag 16.
inline constexpr size_t max_seal_overhead = record_header_length + 8 + aead_tag_length;
// The longest record on the wire that is not a record_overflow.
inline constexpr size_t max_record_length = record_header_length + max_plaintext + 256;

// So many records that bring nothing are opened, then the caller is asked: see Receipt::idle.
inline constexpr uint8_t max_idle_records = 32;

// RFC 8446 5.3: a sequence number that would wrap ends the connection.
inline constexpr uint64_t exhausted_sequence = UINT64_MAX;

// One direction's protection.
struct DirectionState {
  AeadKey key;
  Version version;
  Hash hash;
  uint8_t iv[12];  // TLS 1.3 and ChaCha20: XORed with the sequence; TLS 1.2 GCM: 4 bytes of salt
  // Of the next record; never used for two that are sent. At exhausted_sequence the direction can
  // do no more: seal() and receive() refuse.
  uint64_t sequence;
  uint8_t secret[48];  // TLS 1.3 traffic secret, for KeyUpdate (RFC 8446 7.2)
};

struct WriteState {
  DirectionState keys;
  // Sequence at which to send a KeyUpdate: key_update_limit(), or sooner by policy.
  uint64_t key_update_at;
};

// A handshake message may come in pieces; only the 4 bytes of header and what
// is still to come are remembered.
struct HandshakeMessage {
  uint8_t header[4];
  uint8_t header_length;
  uint32_t body_remaining;
};

// All but `keys` and `role` is 0 when the handshake is done.
struct ReadState {
  DirectionState keys;
  Role role;  // ours
  HandshakeMessage message;
  // Records that brought no data (empty ones, KeyUpdates, tickets, ignored alerts, requests for
  // renegotiation, and pieces of them): in a row, and since the caller last put it to 0.
  uint8_t idle_records;
  uint8_t idle_in_call;
  bool past_tickets;  // a record came that was more than NewSessionTicket messages
};

static_assert(std::is_trivially_copyable_v<WriteState> && std::is_trivially_copyable_v<ReadState>);

}  // namespace gaiter::engine
