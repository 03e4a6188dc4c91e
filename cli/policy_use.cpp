#include "cli/policy_use.h"

#include <algorithm>
#include <filesystem>

namespace gaiter::cli {
namespace {

// Whether two paths lead to the same keyring.
bool same_place(const std::string& one, const std::string& other) {
  std::error_code error;
  return one == other || std::filesystem::equivalent(one, other, error);
}

}  // namespace

std::expected<PolicyUse, policy::Error> PolicyUse::of(const keyring::Keyring& keyring) {
  PolicyUse use;
  auto policy = policy::Policy::load(policy::Source::from_environment());
  if (!policy) return std::unexpected(std::move(policy.error()));
  const auto path =
      policy->keyring().empty() ? keyring::default_path() : keyring::expand_path(policy->keyring());
  if (!path || !same_place(*path, keyring.path())) return use;
  for (const policy::Rule& rule : policy->rules()) {
    if (!policy::may_protect(rule.settings)) continue;
    Needs& needs = use.needs_.emplace_back(rule.name, rule.settings.certificates);
    needs.labels.insert(needs.labels.end(), rule.settings.trust.begin(), rule.settings.trust.end());
    for (const policy::SniEntry& entry : rule.settings.sni) {
      needs.labels.insert(needs.labels.end(), entry.labels.begin(), entry.labels.end());
    }
  }
  return use;
}

std::vector<std::string> PolicyUse::rules(const std::string& label, bool is_default) const {
  std::vector<std::string> names;
  for (const Needs& needs : needs_) {
    const bool used = std::ranges::any_of(needs.labels, [&](const std::string& needed) {
      return needed == label || (needed.empty() && is_default);
    });
    if (used && std::ranges::find(names, needs.rule) == names.end()) names.push_back(needs.rule);
  }
  return names;
}

}  // namespace gaiter::cli
