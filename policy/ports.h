// Ports and ranges of ports as a policy writes them.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "policy/policy.h"

namespace gaiter::policy {

// "6379": decimal, 1 to 65535, without sign, blanks or leading zeros.
std::optional<uint16_t> parse_port(std::string_view text);

// "6379" or "6000-6100". The error is a message that says what would be right.
std::expected<PortRange, std::string> parse_port_range(std::string_view text);

}  // namespace gaiter::policy
