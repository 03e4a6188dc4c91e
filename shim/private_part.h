// What only the process that performs a handshake has of a connection: objects on
// its heap. A fork child has copies, usable as long as nobody went further with
// the original (Connection::steps_ tells).
#pragma once

#include <memory>

#include "engine/handshake.h"
#include "shim/connection.h"

namespace gaiter::shim {

struct Connection::PrivatePart {
  engine::ExpectedPeer peer;  // outbound: whom to expect
  std::unique_ptr<engine::Handshake> handshake;
  uint32_t steps = 0;  // the handshake's, here
  std::unique_ptr<engine::Tickets> tickets;
};

}  // namespace gaiter::shim
