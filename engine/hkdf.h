// The two steps of TLS 1.3's key schedule (RFC 8446 7.1) on top of HKDF (RFC 5869).
//
// Nothing is allocated and nothing can fail; what is secret on the stack is wiped.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/hmac.h"

namespace gaiter::engine {

// HKDF-Expand-Label. `out` is at most one hash long, so that HKDF-Expand is a
// single HMAC. `label` comes without its prefix "tls13 ".
void expand_label(const Hmac& secret, std::string_view label, std::span<const uint8_t> context,
                  std::span<uint8_t> out);

// HKDF-Extract. `salt` is at most a hash long. Writes hash_length().
void extract(Hash hash, std::span<const uint8_t> salt, std::span<const uint8_t> input,
             uint8_t* out);

}  // namespace gaiter::engine
