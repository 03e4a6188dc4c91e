#include "engine/post_handshake.h"

#include <algorithm>

#include "engine/key_schedule.h"

namespace gaiter::engine {
namespace {

enum class MessageType : uint8_t {
  hello_request = 0,
  client_hello = 1,
  new_session_ticket = 4,
  key_update = 24,
};

// RFC 8446 4.6.1: lifetime, age_add, nonce<0..255>, ticket<1..2^16-1>,
// extensions<0..2^16-2>.
constexpr uint32_t min_ticket_body = 4 + 4 + 1 + 2 + 1 + 2;
constexpr uint32_t max_ticket_body = 4 + 4 + 1 + 255 + 2 + 65535 + 2 + 65534;

bool is_ticket(const HandshakeMessage& message) {
  return static_cast<MessageType>(message.header[0]) == MessageType::new_session_ticket;
}

bool may_receive(const ReadState& state, MessageType type) {
  const bool client = state.role == Role::client;
  if (state.keys.version == Version::tls13)
    return type == MessageType::key_update || (client && type == MessageType::new_session_ticket);
  return type == (client ? MessageType::hello_request : MessageType::client_hello);
}

bool length_is_right(MessageType type, uint32_t length) {
  switch (type) {
    case MessageType::hello_request:
      return length == 0;
    case MessageType::client_hello:
      return true;  // skipped unread
    case MessageType::new_session_ticket:
      return length >= min_ticket_body && length <= max_ticket_body;
    case MessageType::key_update:
      return length == 1;
  }
  return false;
}

// Takes header bytes from the front of `content`.
std::optional<Received> take_header(ReadState& state, std::span<const uint8_t>& content) {
  HandshakeMessage& message = state.message;
  while (message.header_length != sizeof message.header && !content.empty()) {
    message.header[message.header_length++] = content.front();
    content = content.subspan(1);
  }
  const auto type = static_cast<MessageType>(message.header[0]);
  if (!may_receive(state, type))
    return violation(Alert::unexpected_message, "a handshake message that is not allowed now");
  if (message.header_length != sizeof message.header) return {};
  message.body_remaining = static_cast<uint32_t>(message.header[1]) << 16 |
                           static_cast<uint32_t>(message.header[2]) << 8 | message.header[3];
  if (!length_is_right(type, message.body_remaining))
    return violation(Alert::decode_error, "a handshake message of an impossible length");
  return {};
}

// RFC 8446 4.6.3. `content` begins with the body and must end with it: a message
// under the old key behind it would span the change of keys (5.1).
std::optional<Received> update_keys(ReadState& state, std::span<const uint8_t> content) {
  const uint8_t request = content.front();
  if (request > 1) return violation(Alert::illegal_parameter, "a KeyUpdate of unknown kind");
  if (content.size() != 1)
    return violation(Alert::unexpected_message, "a KeyUpdate that is not the end of its record");
  state.message = {};
  update_tls13(state.keys);
  if (request == 1) return Received{.what = Receipt::key_update};
  return {};
}

}  // namespace

std::optional<Received> receive_alert(ReadState& state, std::span<const uint8_t> content) {
  constexpr uint8_t warning = 1, fatal = 2;
  if (content.empty()) return violation(Alert::unexpected_message, "an empty alert record");
  if (content.size() != 2) return violation(Alert::decode_error, "an alert that is not 2 bytes");
  const uint8_t level = content[0];
  const auto alert = static_cast<Alert>(content[1]);
  if (alert == Alert::close_notify) return Received{.what = Receipt::closed};

  // TLS 1.3 ignores the level (RFC 8446 6), TLS 1.2 goes by it (RFC 5246 7.2).
  bool ignored = alert == Alert::user_canceled;
  if (state.keys.version == Version::tls12) {
    if (level != warning && level != fatal)
      return violation(Alert::illegal_parameter, "an alert of unknown level");
    ignored = level == warning;
  }
  if (ignored) return {};
  return Received{.what = Receipt::peer_alert, .alert = alert};
}

std::optional<Received> receive_handshake(ReadState& state, std::span<const uint8_t> content,
                                          bool& only_tickets) {
  HandshakeMessage& message = state.message;
  std::optional<Received> news;
  only_tickets = !content.empty();
  if (content.empty()) return violation(Alert::unexpected_message, "an empty handshake record");

  while (!content.empty()) {
    if (message.header_length != sizeof message.header)
      if (auto failed = take_header(state, content)) return failed;
    only_tickets = only_tickets && is_ticket(message);
    if (message.header_length != sizeof message.header) return news;

    const bool key_update = static_cast<MessageType>(message.header[0]) == MessageType::key_update;
    if (key_update) return content.empty() ? news : update_keys(state, content);

    const auto step = std::min<size_t>(message.body_remaining, content.size());
    content = content.subspan(step);
    message.body_remaining -= static_cast<uint32_t>(step);
    if (message.body_remaining != 0) return news;
    message = {};
    if (state.keys.version == Version::tls12)
      news = Received{.what = Receipt::refuse_renegotiation};
  }
  return news;
}

}  // namespace gaiter::engine
