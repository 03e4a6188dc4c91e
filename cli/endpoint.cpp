#include "cli/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "policy/ports.h"

namespace gaiter::cli {

std::expected<Endpoint, std::string> parse_endpoint(std::string_view text) {
  constexpr const char* expected =
      "expected an address and a port, such as 127.0.0.1:6379 or [::1]:6379";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::unexpected(expected);
  std::string host(text.substr(0, colon));
  const auto port = policy::parse_port(text.substr(colon + 1));
  if (!port) return std::unexpected("the port is a number from 1 to 65535");
  Endpoint endpoint{.text = std::string(text)};
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    auto* const address = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(*port);
    if (inet_pton(AF_INET6, host.c_str(), &address->sin6_addr) == 1) return endpoint;
  } else {
    auto* const address = reinterpret_cast<sockaddr_in*>(&endpoint.address);
    address->sin_family = AF_INET;
    address->sin_port = htons(*port);
    if (inet_pton(AF_INET, host.c_str(), &address->sin_addr) == 1) return endpoint;
  }
  return std::unexpected(expected);
}

}  // namespace gaiter::cli
