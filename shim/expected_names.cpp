#include "shim/expected_names.h"

#include <algorithm>
#include <string_view>

#include "shim/names.h"

namespace gaiter::shim {

namespace {

constexpr std::string_view looked_up = "%h";

// "*" at the front of a pattern is one label.
bool fits(std::string_view pattern, std::string_view name) {
  if (!pattern.starts_with("*.")) return name == pattern;
  const size_t dot = name.find('.');
  return dot != std::string_view::npos && dot != 0 && name.substr(dot) == pattern.substr(1);
}

// Leaves the first of those that one server stands behind: the best guess.
void merge(std::vector<std::string>& names, const std::vector<std::string>& interchangeable) {
  bool has_one = false;
  std::erase_if(names, [&](const std::string& name) {
    const bool is_one = std::ranges::any_of(
        interchangeable, [&](const std::string& pattern) { return fits(pattern, name); });
    return is_one && std::exchange(has_one, true);
  });
}

std::string expanded(std::string pattern, const std::string& name) {
  for (size_t at = 0; (at = pattern.find(looked_up, at)) != std::string::npos; at += name.size())
    pattern.replace(at, looked_up.size(), name);
  return pattern;
}

}  // namespace

engine::ExpectedPeer expected_names(const policy::Settings& settings, const sockaddr* address,
                                    const void* memory) {
  const std::string& pattern = settings.server_name;
  if (!pattern.empty() && !pattern.contains(looked_up)) return pattern;
  names::Candidates candidates = names::candidates_for(address, memory);
  merge(candidates.names, settings.interchangeable);
  if (candidates.names.empty()) candidates.names.push_back(names::in_text(address));
  engine::ExpectedPeer peer;
  peer.others = candidates.others;
  for (const std::string& name : candidates.names)
    peer.names.push_back(pattern.empty() ? name : expanded(pattern, name));
  peer.sent = peer.names.front();
  return peer;
}

}  // namespace gaiter::shim
