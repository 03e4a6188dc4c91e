#include "cli/policy_source.h"

#include "cli/output.h"

namespace gaiter::cli {

policy::Source source_of(const std::string& path) {
  if (path.empty()) return policy::Source::from_environment();
  return {.path = path, .text = ""};
}

std::string name_of(const policy::Source& source) {
  return source.path.empty() ? "GAITER_POLICY_TEXT" : source.path;
}

std::optional<policy::Policy> load_or_say(const policy::Source& source) {
  if (source.path.empty() && source.text.empty()) {
    say("there is no policy to look at: name one, set GAITER_POLICY, or make /etc/gaiter");
    return std::nullopt;
  }
  auto policy = policy::Policy::load(source);
  if (policy) return std::move(*policy);
  say(printable(policy.error().text()));
  return std::nullopt;
}

}  // namespace gaiter::cli
