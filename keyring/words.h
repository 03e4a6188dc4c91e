// Numbers, times and digests as text, and back.
#pragma once

#include <openssl/x509.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gaiter::keyring {

// Hexadecimal, upper case, without leading zeros: as `openssl x509 -serial` has it.
std::string serial_text(const ASN1_INTEGER* serial);

// "2026-01-31T12:00:00Z"
std::string time_text(std::chrono::sys_seconds time);
std::optional<std::chrono::sys_seconds> parse_time(std::string_view text);

std::chrono::sys_seconds time_of(const ASN1_TIME* time);
std::chrono::sys_seconds now();

// Lower case.
std::string hexadecimal(const unsigned char* bytes, size_t length);

// SHA-256 in hexadecimal; "?" if it cannot be had.
std::string sha256_text(std::span<const unsigned char> bytes);

}  // namespace gaiter::keyring
