// The record layer (RFC 8446 5, RFC 5246 6.2): application bytes to records and
// back. Functions over plain state; no I/O, no allocation, no lock: the caller
// holds the direction's lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/iov_cursor.h"
#include "engine/record_state.h"

namespace gaiter::engine {

// ---- sending ----

// Bytes that seal() writes for a record of `length` plaintext bytes.
size_t sealed_length(const WriteState& state, size_t length);

// How far one process has come with the numbers of one key: what it keeps for itself of a
// WriteState that others can change. A number below `next` may have been seen under that key.
struct HighWater {
  uint64_t key = 0;  // AeadKey::id
  uint64_t next = 0;
};

// Seals one record of `length` (0 .. max_plaintext) bytes taken from `from` into
// `out`, and moves the sequence on. Returns sealed_length(state, length), or 0,
// with nothing done, if the sequence is exhausted, or lies below `mark`, which rises with
// it: the connection must then end. For sendfile-like use the source may lie in `out` at
// plaintext_offset().
size_t seal(WriteState& state, HighWater& mark, ContentType type, IovCursor& from, size_t length,
            uint8_t* out);
// The same for a state that is this caller's alone.
size_t seal(WriteState& state, ContentType type, IovCursor& from, size_t length, uint8_t* out);

// Takes back the records from number `sequence` on, which `mark` has sealed last and of which
// not a byte has left: their numbers are free again. False, with nothing done, if that is
// not certain (others have sealed since): the connection must then end.
bool take_back(WriteState& state, HighWater& mark, uint64_t sequence);

// Where the plaintext of a record that is sealed in place must be put.
size_t plaintext_offset(const WriteState& state);

// Seals an alert record, of level warning for close_notify, user_canceled and
// no_renegotiation, else fatal. At most max_seal_overhead + 2 bytes; 0 as seal().
size_t seal_alert(WriteState& state, HighWater& mark, Alert alert, uint8_t* out);
size_t seal_alert(WriteState& state, Alert alert, uint8_t* out);

// True once enough was sealed under one key that a KeyUpdate must go first; never
// with TLS 1.2.
bool key_update_due(const WriteState& state);

// TLS 1.3: seals a KeyUpdate and moves to the next key. `request_peer` asks the
// peer to do the same. At most max_seal_overhead + 5 bytes; 0 as seal() and with
// TLS 1.2.
size_t seal_key_update(WriteState& state, HighWater& mark, bool request_peer, uint8_t* out);
size_t seal_key_update(WriteState& state, bool request_peer, uint8_t* out);

// ---- receiving ----

// Ciphertext as it came from the socket, and what of it was opened but not yet
// read by the program: [plain ...] lies before [cipher ...] in `data`.
struct Inbox {
  uint8_t* data;
  uint32_t capacity;
  uint32_t plain_at, plain_length;    // application data, verified
  uint32_t cipher_at, cipher_length;  // whole records, then perhaps part of one

  bool drained() const { return plain_length == 0 && cipher_length == 0; }
};

// Whether the record at the front of the ciphertext is complete, so that
// receive() can make progress without more input. A length that no record may
// have counts as complete: receive() will refuse it.
bool has_whole_record(const Inbox& inbox);

// Bytes that are missing until it is; 0 if has_whole_record().
size_t missing_bytes(const Inbox& inbox);

enum class Receipt : uint8_t {
  need_input,  // no whole record left
  sink_full,   // the sink has no room left; more may be in the inbox
  closed,      // close_notify: nothing may follow
  key_update,  // the peer wants a KeyUpdate in return; the read keys have moved on already
  refuse_renegotiation,  // TLS 1.2: answer with a no_renegotiation warning, go on
  // A whole record waits, but max_idle_records brought nothing: in a row, and it is the caller's
  // to end the connection (unexpected_message) or to put ReadState::idle_records to 0; or in this
  // call of the program's, which has then cost enough (ReadState::idle_in_call).
  idle,
  peer_alert,            // the peer ended the connection with `alert`
  failed,                // a violation: send `alert`, then end the connection
};

struct Received {
  Receipt what;
  Alert alert = Alert::close_notify;  // of peer_alert (as received: any value) and failed
  const char* reason = "";            // of failed, in words; static
  size_t delivered = 0;               // bytes put into the sink by this call, whatever `what` is
};

// TLS 1.3 client: is given each record that holds nothing but NewSessionTicket
// messages, verified, but sealed exactly as it came. Only the records before any
// other one: once ReadState::past_tickets is set it is not called again, and may
// be dropped. Without it tickets are skipped.
struct TicketSink {
  void (*take)(void* self, const uint8_t* record, size_t length) = nullptr;
  void* self = nullptr;
};

// Delivers application data from the inbox to `sink`: first what was opened
// before, then records, straight into the sink where they fit, until the sink is
// full, input runs out, or something else than data must be told; all before that
// was delivered. What does not fit stays in the inbox as plain. With no room in
// the sink it does nothing.
//
// No byte stays in the sink whose tag was not verified, but bytes of the sink
// beyond `delivered` may have been overwritten. The offsets of an inbox that is
// drained become 0; room is never made by moving: that is the caller's.
// After `closed`, `peer_alert` or `failed` it must not be called again.
Received receive(ReadState& state, Inbox& inbox, IovCursor& sink, const TicketSink& tickets = {});

// Makes inbox.plain_length tell the truth, for poll(2), MSG_PEEK and FIONREAD: if
// it is 0, opens whole records in place, one after another, until one has data.
// Returns sink_full if plain_length > 0, need_input if nothing can be said yet,
// else as receive().
Received open_in_place(ReadState& state, Inbox& inbox, const TicketSink& tickets = {});

// What is open in the inbox already, and no more: gives how much. After close_notify
// nothing more may be opened (RFC 8446 6.1).
size_t deliver_opened(Inbox& inbox, IovCursor& sink);

}  // namespace gaiter::engine
