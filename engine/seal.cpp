#include "engine/key_schedule.h"
#include "engine/record_protection.h"
#include "engine/records.h"

namespace gaiter::engine {
namespace {

constexpr uint8_t warning = 1;
constexpr uint8_t fatal = 2;

// Seals what lies in one piece.
size_t seal_message(WriteState& state, HighWater& mark, ContentType type, uint8_t* message,
                    size_t length, uint8_t* out) {
  const iovec piece{message, length};
  IovCursor from(&piece, 1);
  return seal(state, mark, type, from, length, out);
}

}  // namespace

size_t plaintext_offset(const WriteState& state) { return text_offset(state.keys); }

size_t sealed_length(const WriteState& state, size_t length) {
  const size_t inner_type = state.keys.version == Version::tls13 ? 1 : 0;
  return text_offset(state.keys) + length + inner_type + aead_tag_length;
}

size_t seal(WriteState& state, HighWater& mark, ContentType type, IovCursor& from, size_t length,
            uint8_t* out) {
  DirectionState& keys = state.keys;
  if (mark.key != keys.key.id) mark = {keys.key.id, 0};
  const uint64_t sequence = keys.sequence;
  if (sequence == exhausted_sequence || sequence < mark.next) return 0;
  mark.next = sequence + 1;

  const bool tls13 = keys.version == Version::tls13;
  const size_t total = sealed_length(state, length);
  // TLS 1.3 hides the type inside and calls every record application data.
  out[0] = static_cast<uint8_t>(tls13 ? ContentType::application_data : type);
  store_be16(out + 1, static_cast<size_t>(Version::tls12));
  store_be16(out + 3, total - record_header_length);
  // RFC 5288 3: the explicit nonce must be unique; the sequence number is.
  if (has_explicit_nonce(keys)) store_be64(out + record_header_length, sequence);

  Nonce nonce;
  make_nonce(keys, sequence, out, nonce);
  uint8_t* const text = out + text_offset(keys);
  if (tls13) {
    const auto inner_type = static_cast<uint8_t>(type);
    aead_seal(keys.key, nonce, {out, record_header_length}, from, length, {&inner_type, 1}, text);
  } else {
    uint8_t additional[tls12_additional_length];
    make_tls12_additional(sequence, out, length, additional);
    aead_seal(keys.key, nonce, additional, from, length, {}, text);
  }
  keys.sequence = sequence + 1;
  return total;
}

size_t seal(WriteState& state, ContentType type, IovCursor& from, size_t length, uint8_t* out) {
  HighWater unshared;
  return seal(state, unshared, type, from, length, out);
}

bool take_back(WriteState& state, HighWater& mark, uint64_t sequence) {
  if (mark.key != state.keys.key.id || state.keys.sequence != mark.next || sequence > mark.next)
    return false;
  state.keys.sequence = mark.next = sequence;
  return true;
}

size_t seal_alert(WriteState& state, Alert alert, uint8_t* out) {
  HighWater unshared;
  return seal_alert(state, unshared, alert, out);
}

size_t seal_alert(WriteState& state, HighWater& mark, Alert alert, uint8_t* out) {
  const bool mild = alert == Alert::close_notify || alert == Alert::user_canceled ||
                    alert == Alert::no_renegotiation;
  uint8_t message[] = {mild ? warning : fatal, static_cast<uint8_t>(alert)};
  return seal_message(state, mark, ContentType::alert, message, sizeof message, out);
}

bool key_update_due(const WriteState& state) {
  return state.keys.version == Version::tls13 && state.keys.sequence >= state.key_update_at;
}

size_t seal_key_update(WriteState& state, bool request_peer, uint8_t* out) {
  HighWater unshared;
  return seal_key_update(state, unshared, request_peer, out);
}

size_t seal_key_update(WriteState& state, HighWater& mark, bool request_peer, uint8_t* out) {
  if (state.keys.version != Version::tls13) return 0;
  uint8_t message[] = {24, 0, 0, 1, static_cast<uint8_t>(request_peer)};  // RFC 8446 4.6.3
  const size_t length =
      seal_message(state, mark, ContentType::handshake, message, sizeof message, out);
  if (length != 0) update_tls13(state.keys);
  return length;
}

}  // namespace gaiter::engine
