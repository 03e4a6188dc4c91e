// Whom a rule allows or denies, as a policy writes it.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "policy/settings.h"

namespace gaiter::policy {

// "dns:*.apps.internal", "spiffe://prod/*" (for "uri:spiffe://prod/*"), ...: see
// PeerPattern. The error is a message that says what would be right.
std::expected<PeerPattern, std::string> parse_peer(std::string_view text);

// "CN=batch,O=Example \, Inc." (RFC 4514; "+" parts as "," does).
std::expected<std::vector<NameAttribute>, std::string> parse_name(std::string_view text);

// SHA-256 as 64 hex digits, with or without colons between bytes.
bool parse_hex(std::string_view text, Sha256& out);

// "sha256:HEX" or "sha256//BASE64" (as HPKP and curl's --pinnedpubkey write it).
bool parse_pin(std::string_view text, Sha256& out);

std::string hex(const Sha256& digest);

// As a policy writes it: "dns:*.apps.internal".
std::string to_string(const PeerPattern& pattern);

}  // namespace gaiter::policy
