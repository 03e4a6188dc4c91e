// Addresses and ranges of them as a policy writes them.
#pragma once

#include <netinet/in.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/rule.h"

namespace gaiter::policy {

Address address_of(const in_addr& address);
Address address_of(const in6_addr& address);

// 0.0.0.0 or ::, that is: none.
bool is_unspecified(const Address& address);

// The first and the last IPv4 address.
inline constexpr AddressRange all_ipv4{{0, 0xffff'0000'0000}, {0, 0xffff'ffff'ffff}};

// "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1" (which is 10.0.0.1).
std::optional<Address> parse_address(std::string_view text);

// An address, "10.0.0.0/8", "10.0.0.1-10.0.0.9" or "loopback", as one or more
// ranges: what is written as IPv6 does not contain IPv4. "any" is every address
// of both. The error is a message that says what would be right.
std::expected<std::vector<AddressRange>, std::string> parse_addresses(std::string_view text);

std::string to_string(const Address& address);

}  // namespace gaiter::policy
