#include "engine/user_map.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gaiter::engine {
namespace {

// The greater, the more specific.
std::array<size_t, 4> weight(const UserFilter& filter) {
  std::array<size_t, 4> counts{};
  for (const PeerPattern& pattern : filter.patterns) {
    switch (pattern.kind) {
      case PeerPattern::Kind::fingerprint:
        ++counts[0];
        break;
      case PeerPattern::Kind::subject:
        counts[2] += pattern.attributes.size();
        break;
      case PeerPattern::Kind::issuer:
        counts[3] += pattern.attributes.size();
        break;
      default:
        ++counts[1];
    }
  }
  return counts;
}

}  // namespace

std::expected<UserMap, std::string> UserMap::compile(const std::vector<UserFilter>& filters) {
  std::vector<const UserFilter*> ordered;
  for (const UserFilter& filter : filters) ordered.push_back(&filter);
  std::ranges::stable_sort(ordered, [](const UserFilter* one, const UserFilter* other) {
    return weight(*one) > weight(*other);
  });
  UserMap map;
  for (const UserFilter* const filter : ordered) {
    Entry& entry = map.entries_.emplace_back(std::vector<PeerMatcher>(), filter->user);
    for (const PeerPattern& pattern : filter->patterns) {
      auto matcher = PeerMatcher::compile(pattern);
      if (!matcher) return std::unexpected(matcher.error());
      entry.patterns.push_back(std::move(*matcher));
    }
  }
  return map;
}

const std::string* UserMap::find(const PeerNames& names) const {
  const auto found = std::ranges::find_if(entries_, [&names](const Entry& entry) {
    return std::ranges::all_of(
        entry.patterns, [&names](const PeerMatcher& matcher) { return matcher.matches(names); });
  });
  return found == entries_.end() ? nullptr : &found->user;
}

}  // namespace gaiter::engine
