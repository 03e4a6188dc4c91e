// NewSessionTicket (RFC 8446 4.6.1), at both ends.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/handshake.h"
#include "engine/ssl_driver.h"

namespace gaiter::engine {

// Server, right after the handshake: up to `count` sealed ticket records appended to
// `records`. Returns how many there are: they use up as many sequence numbers.
uint64_t issue_tickets(SslDriver& driver, size_t count, std::vector<uint8_t>& records);

// Client: takes the driver over until the tickets came.
std::unique_ptr<Tickets> expect_tickets(std::unique_ptr<SslDriver> driver);

}  // namespace gaiter::engine
