#include "policy/ports.h"

#include <charconv>

namespace gaiter::policy {

std::optional<uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.front() < '1' || text.front() > '9') return {};
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  auto [stopped, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stopped != end) return {};
  return port;
}

std::expected<PortRange, std::string> parse_port_range(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last)
    return std::unexpected("expected a port from 1 to 65535, or a range such as \"6000-6100\"");
  if (*first > *last)
    return std::unexpected("the range ends before it begins; did you mean \"" +
                           std::to_string(*last) + "-" + std::to_string(*first) + "\"?");
  return PortRange{*first, *last};
}

std::string to_string(const std::vector<PortRange>& ranges) {
  if (ranges.empty()) return "any";
  std::string list;
  for (const PortRange& range : ranges) {
    if (!list.empty()) list += ", ";
    list += std::to_string(range.first);
    if (range.last != range.first) list += "-" + std::to_string(range.last);
  }
  return list;
}

}  // namespace gaiter::policy
