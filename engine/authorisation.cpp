#include "engine/authorisation.h"

#include <algorithm>
#include <utility>

#include "engine/peer_name.h"

namespace gaiter::engine {
namespace {

std::expected<std::vector<PeerMatcher>, std::string> compile_all(
    const std::vector<PeerPattern>& patterns) {
  std::vector<PeerMatcher> matchers;
  for (const PeerPattern& pattern : patterns) {
    auto matcher = PeerMatcher::compile(pattern);
    if (!matcher) return std::unexpected(matcher.error());
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

const PeerMatcher* first_fit(const std::vector<PeerMatcher>& matchers, const PeerNames& names) {
  const auto found = std::ranges::find_if(
      matchers, [&names](const PeerMatcher& matcher) { return matcher.matches(names); });
  return found == matchers.end() ? nullptr : &*found;
}

Failure refusal(const X509* certificate, Role ours, const std::string& why, std::string advice) {
  std::string names;
  constexpr size_t enough = 500;  // a line of the log holds more than these
  for (const std::string& pattern : names_as_patterns(certificate)) {
    if (names.size() + pattern.size() > enough && !names.empty()) {
      names += ", ...";
      break;
    }
    names += (names.empty() ? "" : ", ") + pattern;
  }
  return {Cause::not_allowed,
          std::string("the ") + (ours == Role::client ? "server" : "client") + "'s certificate (" +
              names + ") " + why,
          std::move(advice)};
}

}  // namespace

std::expected<Authorisation, std::string> Authorisation::compile(const ContextSettings& settings) {
  auto allowed = compile_all(settings.allow);
  if (!allowed) return std::unexpected("allow: " + allowed.error());
  auto denied = compile_all(settings.deny);
  if (!denied) return std::unexpected("deny: " + denied.error());
  Authorisation made;
  made.allow_ = std::move(*allowed);
  made.deny_ = std::move(*denied);
  if (!settings.map_user) return made;
  auto user_map = UserMap::compile(settings.user_map);
  if (!user_map) return std::unexpected("map_file: " + user_map.error());
  made.user_map_ = std::move(*user_map);
  made.user_exists_ = settings.user_exists;
  return made;
}

std::optional<Failure> Authorisation::refuse(const X509* certificate, Role ours) const {
  if (!restricts()) return std::nullopt;
  const PeerNames names(certificate);
  if (!names.are_sound())
    return refusal(certificate, ours, "is not allowed: its alternative names are malformed",
                   "have it issued anew");
  if (const PeerMatcher* const denied = first_fit(deny_, names))
    return refusal(certificate, ours, "is denied by \"" + denied->text() + "\"",
                   "to let it in, take that from deny in the policy");
  if (allow_.empty() || first_fit(allow_, names) != nullptr)
    return user_map_ ? refuse_user(names) : std::nullopt;
  return refusal(certificate, ours, "is valid, but nothing in allow fits it",
                 "to let it in, add \"" + names_as_patterns(certificate).front() +
                     "\" to allow in the policy");
}

std::optional<Failure> Authorisation::refuse_user(const PeerNames& names) const {
  const std::string* const user = user_map_->find(names);
  if (user == nullptr)
    return refusal(names.certificate(), Role::server, "stands for no local user (map_user)",
                   "add a line \"" + pattern_without_escapes(names.certificate()) +
                       " USER\" to the policy's map_file");
  if (user_exists_ == nullptr || !user_exists_(*user))
    return refusal(names.certificate(), Role::server,
                   "stands for the user \"" + printable(*user) + "\", who is not in /etc/passwd",
                   "create the user, or name another in the policy's map_file");
  return std::nullopt;
}

std::string Authorisation::user_of(const X509* certificate) const {
  if (!user_map_ || certificate == nullptr) return "";
  const std::string* const user = user_map_->find(PeerNames(certificate));
  return user == nullptr ? "" : *user;
}

}  // namespace gaiter::engine
