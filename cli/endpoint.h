// Addresses with ports as a person types them.
#pragma once

#include <sys/socket.h>

#include <expected>
#include <string>
#include <string_view>

namespace gaiter::cli {

struct Endpoint {
  sockaddr_storage address{};
  std::string text;  // as it was meant: "127.0.0.1:6379", "[::1]:6379"

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// "127.0.0.1:6379" or "[::1]:6379". The error says what would be right.
std::expected<Endpoint, std::string> parse_endpoint(std::string_view text);

}  // namespace gaiter::cli
