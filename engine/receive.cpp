#include <openssl/crypto.h>

#include <algorithm>
#include <optional>

#include "engine/post_handshake.h"
#include "engine/record_protection.h"
#include "engine/records.h"

namespace gaiter::engine {
namespace {

using Bytes = std::span<uint8_t>;

// TLS 1.3 tells a record's type only when it is open. One that may be a control
// message is opened in place and copied, so that none of it passes through the
// program's buffer (up to this size a copy is cheaper than decrypting in parts
// anyway); a larger one is almost surely data and goes straight there. So does as
// much of it as a sink holds that is no smaller than this.
constexpr size_t small_record = 1024;

// The record at the front of the inbox, still sealed.
struct Sealed {
  uint8_t* record;
  size_t length;  // all of it
  Bytes text;     // ciphertext and tag

  size_t inner_length() const { return text.size() - aead_tag_length; }
};

// A record once opened: the first `in_sink` bytes of its content went to the sink,
// the others are at `rest`.
struct Opened {
  ContentType type;
  size_t in_sink;
  Bytes rest;
};

uint8_t* front(const Inbox& inbox) { return inbox.data + inbox.cipher_at; }

size_t body_length(const Inbox& inbox) { return load_be16(front(inbox) + 3); }

// What is wrong with the 5 bytes of header at the front, if anything.
std::optional<Received> check_header(const DirectionState& keys, const Inbox& inbox) {
  const uint8_t* const header = front(inbox);
  const auto type = static_cast<ContentType>(header[0]);
  if (keys.version == Version::tls13) {
    // RFC 8446 5: a change_cipher_spec is tolerated during the handshake only.
    if (type != ContentType::application_data)
      return violation(Alert::unexpected_message, "a record that is not encrypted");
  } else {
    if (type != ContentType::application_data && type != ContentType::handshake &&
        type != ContentType::alert)
      return violation(Alert::unexpected_message, "a record of an unexpected type");
    if (load_be16(header + 1) != static_cast<size_t>(Version::tls12))
      return violation(Alert::protocol_version, "a record of another protocol version");
  }
  // The RFCs allow ciphertexts some slack (2^14 + 256, 2^14 + 2048) that our AEADs
  // have no use for: more than this would be more than 2^14 bytes once open.
  const size_t most = text_offset(keys) - record_header_length + max_plaintext +
                      (keys.version == Version::tls13 ? 1 : 0) + aead_tag_length;
  if (body_length(inbox) > most)
    return violation(Alert::record_overflow, "a record that is too long");
  if (record_header_length + body_length(inbox) < text_offset(keys) + aead_tag_length)
    return violation(Alert::bad_record_mac, "a record that is too short to be authentic");
  if (keys.sequence == exhausted_sequence)
    return violation(Alert::internal_error, "the record sequence numbers are used up");
  return {};
}

Sealed front_record(const DirectionState& keys, const Inbox& inbox) {
  uint8_t* const record = front(inbox);
  const size_t length = record_header_length + body_length(inbox);
  return {record, length, {record + text_offset(keys), record + length}};
}

bool decrypt(const DirectionState& keys, const Nonce& nonce, const Sealed& sealed, IovCursor& sink,
             size_t sink_length) {
  if (keys.version == Version::tls13)
    return aead_open(keys.key, nonce, {sealed.record, record_header_length}, sealed.text, sink,
                     sink_length);
  uint8_t additional[tls12_additional_length];
  make_tls12_additional(keys.sequence, sealed.record, sealed.inner_length(), additional);
  return aead_open(keys.key, nonce, additional, sealed.text, sink, sink_length);
}

// Moves `length` bytes at `sink` back to `place` and wipes them there.
void take_back(IovCursor sink, uint8_t* place, size_t length) {
  while (length != 0) {
    const size_t step = std::min(length, sink.contiguous());
    std::memcpy(place, sink.data(), step);
    OPENSSL_cleanse(sink.data(), step);
    place += step;
    length -= step;
    sink.advance(step);
  }
}

// RFC 8446 5.4: the type is the last byte that is not 0. Its index, or -1.
ptrdiff_t find_inner_type(std::span<const uint8_t> inner) {
  auto last = static_cast<ptrdiff_t>(inner.size()) - 1;
  while (last >= 0 && inner[static_cast<size_t>(last)] == 0) --last;
  return last;
}

// TLS 1.3: splits what was decrypted into content and type. Nothing = there is no
// type. Anything in the sink that should not be there comes back.
std::optional<Opened> find_content(const Sealed& sealed, const IovCursor& sink_before,
                                   IovCursor& sink, size_t in_sink) {
  const Bytes inner = sealed.text.first(sealed.inner_length());
  ptrdiff_t last = find_inner_type(inner.subspan(in_sink));
  const auto data = static_cast<uint8_t>(ContentType::application_data);
  if (in_sink != 0 && (last < 0 || inner[in_sink + static_cast<size_t>(last)] != data)) {
    take_back(sink_before, inner.data(), in_sink);
    sink = sink_before;
    in_sink = 0;
    last = find_inner_type(inner);
  }
  if (last < 0) return {};
  const Bytes rest = inner.subspan(in_sink, static_cast<size_t>(last));
  return Opened{static_cast<ContentType>(rest.data()[last]), in_sink, rest};
}

void remove_front(Inbox& inbox, size_t length) {
  inbox.cipher_at += static_cast<uint32_t>(length);
  inbox.cipher_length -= static_cast<uint32_t>(length);
}

// Gives back the room of what was taken from the inbox, as far as that needs no moving.
void tidy(Inbox& inbox) {
  const uint32_t plain_end = inbox.plain_length == 0 ? 0 : inbox.plain_at + inbox.plain_length;
  if (inbox.cipher_length == 0) inbox.cipher_at = plain_end;
  if (inbox.plain_length == 0) inbox.plain_at = inbox.cipher_at;
}

size_t deliver_plain(Inbox& inbox, IovCursor& sink, size_t room) {
  const size_t length = std::min<size_t>(inbox.plain_length, room);
  if (length == 0) return 0;
  sink.copy_in(inbox.data + inbox.plain_at, length);
  inbox.plain_at += static_cast<uint32_t>(length);
  inbox.plain_length -= static_cast<uint32_t>(length);
  tidy(inbox);
  return length;
}

// TLS 1.3: seals an opened record again, in place: the same key, nonce and plaintext
// give the very bytes that came, without a copy having been kept.
void seal_again(const AeadKey& key, const Nonce& nonce, const Sealed& sealed) {
  const iovec piece{sealed.text.data(), sealed.inner_length()};
  IovCursor from(&piece, 1);
  aead_seal(key, nonce, {sealed.record, record_header_length}, from, sealed.inner_length(), {},
            sealed.text.data());
}

// How much of a record to open straight into a sink with `room` left.
size_t sink_share(const DirectionState& keys, const Sealed& sealed, size_t room) {
  const size_t inner = sealed.inner_length();
  if (keys.version == Version::tls13) {
    if (inner <= small_record) return 0;
    // The type, which is last, stays where it can be seen.
    return room < small_record ? 0 : std::min(room, inner - 1);
  }
  if (static_cast<ContentType>(sealed.record[0]) != ContentType::application_data) return 0;
  return room < std::min(small_record, inner) ? 0 : std::min(room, inner);
}

// What a record's content means. Nothing = go on.
std::optional<Received> take_content(ReadState& state, Inbox& inbox, const Opened& opened,
                                     bool& only_tickets) {
  if (opened.type != ContentType::handshake && state.message.header_length != 0)
    return violation(Alert::unexpected_message, "a record amid a handshake message's pieces");
  const bool is_data = opened.type == ContentType::application_data;
  if (is_data && opened.in_sink + opened.rest.size() != 0) {
    state.idle_records = 0;
  } else {
    ++state.idle_records;
    ++state.idle_in_call;
  }
  switch (opened.type) {
    case ContentType::application_data:
      inbox.plain_at = static_cast<uint32_t>(opened.rest.data() - inbox.data);
      inbox.plain_length = static_cast<uint32_t>(opened.rest.size());
      return {};
    case ContentType::handshake:
      return receive_handshake(state, opened.rest, only_tickets);
    case ContentType::alert:
      return receive_alert(state, opened.rest);
    default:
      return violation(Alert::unexpected_message, "a record of an unexpected type");
  }
}

// Opens the record at the front of the inbox, which has no plain. Its data goes to
// the sink, which has room for `room` bytes (`delivered` grows), or becomes plain.
// Nothing = go on.
std::optional<Received> open_front(ReadState& state, Inbox& inbox, IovCursor& sink, size_t room,
                                   size_t& delivered, const TicketSink& tickets) {
  DirectionState& keys = state.keys;
  if (inbox.cipher_length < record_header_length) return Received{.what = Receipt::need_input};
  if (auto failed = check_header(keys, inbox)) return failed;
  if (!has_whole_record(inbox)) return Received{.what = Receipt::need_input};
  if (std::max(state.idle_records, state.idle_in_call) >= max_idle_records)
    return Received{.what = Receipt::idle};

  const Sealed sealed = front_record(keys, inbox);
  const bool may_be_ticket = tickets.take != nullptr && !state.past_tickets &&
                             keys.version == Version::tls13 && state.role == Role::client;
  const size_t in_sink = may_be_ticket ? 0 : sink_share(keys, sealed, room);
  const IovCursor sink_before = sink;
  Nonce nonce;
  make_nonce(keys, keys.sequence, sealed.record, nonce);
  if (!decrypt(keys, nonce, sealed, sink, in_sink))
    return violation(Alert::bad_record_mac, "a record that is not authentic");

  Opened opened{static_cast<ContentType>(sealed.record[0]), in_sink,
                sealed.text.subspan(in_sink, sealed.inner_length() - in_sink)};
  if (keys.version == Version::tls13) {
    const auto found = find_content(sealed, sink_before, sink, in_sink);
    if (!found) return violation(Alert::unexpected_message, "a record of nothing but padding");
    opened = *found;
  }
  ++keys.sequence;
  remove_front(inbox, sealed.length);

  bool only_tickets = false;
  const auto news = take_content(state, inbox, opened, only_tickets);
  if (!news) delivered += opened.in_sink;
  if (may_be_ticket && only_tickets && !news) {
    seal_again(keys.key, nonce, sealed);
    tickets.take(tickets.self, sealed.record, sealed.length);
  }
  if (!only_tickets) state.past_tickets = true;
  tidy(inbox);
  return news;
}

}  // namespace

bool has_whole_record(const Inbox& inbox) { return missing_bytes(inbox) == 0; }

size_t missing_bytes(const Inbox& inbox) {
  if (inbox.cipher_length < record_header_length) return record_header_length - inbox.cipher_length;
  const size_t length = record_header_length + body_length(inbox);
  if (length > max_record_length || length <= inbox.cipher_length) return 0;
  return length - inbox.cipher_length;
}

Received receive(ReadState& state, Inbox& inbox, IovCursor& sink, const TicketSink& tickets) {
  const size_t total = sink.remaining();
  size_t delivered = 0;
  for (;;) {
    delivered += deliver_plain(inbox, sink, total - delivered);
    if (delivered == total) return {.what = Receipt::sink_full, .delivered = delivered};
    if (auto news = open_front(state, inbox, sink, total - delivered, delivered, tickets)) {
      news->delivered = delivered;
      return *news;
    }
  }
}

size_t deliver_opened(Inbox& inbox, IovCursor& sink) {
  return deliver_plain(inbox, sink, sink.remaining());
}

Received open_in_place(ReadState& state, Inbox& inbox, const TicketSink& tickets) {
  IovCursor no_sink;
  size_t delivered = 0;
  while (inbox.plain_length == 0)
    if (auto news = open_front(state, inbox, no_sink, 0, delivered, tickets)) return *news;
  return {.what = Receipt::sink_full};
}

}  // namespace gaiter::engine
