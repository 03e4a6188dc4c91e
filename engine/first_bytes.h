// What a peer speaks, told from the first bytes that it sends.
#pragma once

#include <cstdint>
#include <span>

namespace gaiter::engine {

// Null while `start` can be the start of a TLS handshake or alert record (also
// if it is empty); else what it looks like, "an HTTP request": a static text
// that shows nothing of the bytes themselves, which may be secret.
const char* what_else_than_tls(std::span<const uint8_t> start);

}  // namespace gaiter::engine
