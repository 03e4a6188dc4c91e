#include "policy/user_map.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "policy/accounts.h"
#include "policy/peer_pattern.h"
#include "policy/read.h"

namespace gaiter::policy {
namespace {

constexpr std::string_view blanks = " \t\r";
constexpr std::string_view beginnings[] = {
    "dns:", "uri:", "spiffe:", "email:", "ip:", "subject:", "issuer:", "fingerprint:"};

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool begins_pattern(std::string_view text) {
  for (const std::string_view beginning : beginnings)
    if (text.starts_with(beginning)) return true;
  return false;
}

// Takes the first pattern off: a name in it may hold blanks, so it goes on to where the
// next one begins.
std::string_view take_pattern(std::string_view& text) {
  size_t end = 0;
  do {
    end = std::min(text.find_first_of(blanks, end + 1), text.size());
  } while (end != text.size() && !begins_pattern(trimmed(text.substr(end))));
  const std::string_view pattern = trimmed(text.substr(0, end));
  text = trimmed(text.substr(end));
  return pattern;
}

std::expected<UserFilter, std::string> parse_line(std::string_view line) {
  const size_t blank = line.find_last_of(blanks);
  if (blank == std::string_view::npos || !begins_pattern(line))
    return std::unexpected("expected patterns and a user, such as: subject:CN=batch batch");
  UserFilter filter{{}, std::string(line.substr(blank + 1))};
  if (begins_pattern(filter.user))
    return std::unexpected("the user is missing; expected it behind the patterns");
  std::string_view rest = trimmed(line.substr(0, blank));
  while (!rest.empty()) {
    auto pattern = parse_peer(take_pattern(rest));
    if (!pattern) return std::unexpected(std::move(pattern.error()));
    filter.patterns.push_back(std::move(*pattern));
  }
  return filter;
}

}  // namespace

std::expected<std::vector<UserFilter>, Error> load_user_map(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());

  std::vector<UserFilter> filters;
  std::string_view rest = *text;
  for (int number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.starts_with('#')) continue;
    auto filter = parse_line(line);
    if (!filter) return std::unexpected(Error{path, number, std::move(filter.error())});
    filters.push_back(std::move(*filter));
  }
  return filters;
}

std::string default_user_map(const std::string& rule_file) {
  const size_t slash = rule_file.rfind('/');
  if (slash == std::string::npos) return std::string(default_directory) + "/user.map";
  std::string directory = rule_file.substr(0, slash);
  constexpr std::string_view per_port = "/policy.d";
  if (directory.ends_with(per_port)) directory.resize(directory.size() - per_port.size());
  return directory + "/user.map";
}

bool is_local_user(const std::string& name) { return Accounts().user(name).has_value(); }

}  // namespace gaiter::policy
