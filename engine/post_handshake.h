// What may come beside application data on an open connection: alerts (RFC 8446
// 6, RFC 5246 7.2) and the few handshake messages that are allowed after the
// handshake (RFC 8446 4.6, RFC 5246 7.4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/records.h"

namespace gaiter::engine {

inline Received violation(Alert alert, const char* reason) {
  return {.what = Receipt::failed, .alert = alert, .reason = reason};
}

// `content` is a whole alert record's. Nothing = ignore it and go on.
std::optional<Received> receive_alert(ReadState& state, std::span<const uint8_t> content);

// Takes in one handshake record's content, which may hold pieces of messages.
// Nothing = go on. `only_tickets` tells whether all of it was NewSessionTicket.
std::optional<Received> receive_handshake(ReadState& state, std::span<const uint8_t> content,
                                          bool& only_tickets);

}  // namespace gaiter::engine
