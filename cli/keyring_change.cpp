// The verbs that change what an entry is called and what it is for: default, trust,
// distrust, rename, delete, connect, disconnect.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/keyring.h"
#include "cli/output.h"
#include "cli/policy_use.h"
#include "keyring/format.h"
#include "keyring/store.h"

namespace gaiter::cli {
namespace {

using keyring::Keyring;

// Says what was done, or what went wrong.
int finish(const keyring::Result<void>& done, const std::string& message) {
  if (!done) return report(done.error());
  print(message + "\n");
  return exit_ok;
}

// exit_ok if no rule of the policy needs the entry; otherwise this was said.
int check_unused(const Keyring& keyring, const std::string& label, const char* verb) {
  const auto use = PolicyUse::of(keyring);
  if (!use) {
    say(fmt::format("cannot tell whether the policy uses {}: {}; --force does it all the same",
                    label, use.error().text()));
    return exit_refused;
  }
  const auto default_label = keyring.default_label();
  const auto rules = use->rules(label, default_label && *default_label == label);
  if (rules.empty()) return exit_ok;
  say(
      fmt::format("{} is used by the policy ({}); change that first, or: gaiter keyring {} {} "
                  "--force",
                  label, fmt::join(rules, ", "), verb, label));
  return exit_refused;
}

keyring::Result<std::optional<keyring::Usage>> usage_of(const std::string& word) {
  if (word.empty()) return std::nullopt;
  return keyring::usage_of(word);
}

}  // namespace

int keyring_default(const std::string& path, const std::string& label) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  return finish(keyring::set_default(*keyring, label),
                fmt::format("{} is now the default of {}", label, keyring->path()));
}

int keyring_trust(const std::string& path, const std::string& label, bool trusted) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  return finish(keyring::set_trust(*keyring, label, trusted),
                fmt::format("{} is {} now", label, trusted ? "trusted" : "distrusted"));
}

int keyring_rename(const std::string& path, const std::string& label, const std::string& to) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  if (const auto use = PolicyUse::of(*keyring); use) {
    // Of the default, rules that name none go on.
    const auto rules = use->rules(label, false);
    if (!rules.empty()) {
      say(fmt::format("the policy names {} ({}): correct it too", label, fmt::join(rules, ", ")));
    }
  }
  return finish(keyring::rename_entry(*keyring, label, to),
                fmt::format("{} is now called {}", label, to));
}

int keyring_delete(const std::string& path, const std::string& label, bool force) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  if (!force) {
    if (const int code = check_unused(*keyring, label, "delete"); code != exit_ok) return code;
  }
  return finish(keyring::delete_entry(*keyring, label),
                fmt::format("deleted {} from {}", label, keyring->path()));
}

int keyring_connect(const std::string& path, const std::string& label,
                    const ConnectOptions& options) {
  const auto other = open_keyring(options.from);
  if (!other) return report(other.error());
  const auto keyring = keyring::create_keyring(path_or_default(path));
  if (!keyring) return report(keyring.error());
  const auto usage = usage_of(options.usage);
  if (!usage) return report(usage.error());
  const bool system = other->path() == keyring::system_repository;
  const std::string target = !options.entry.empty() ? options.entry : system ? "system" : label;
  const auto entry = keyring::connect_entry(*keyring, label, *other, target, *usage);
  if (!entry) return report(entry.error());
  print(fmt::format("{} of {} is {} now\n", label, keyring->path(), entry->connected));
  return exit_ok;
}

int keyring_disconnect(const std::string& path, const std::string& label, bool force) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  if (!force) {
    if (const int code = check_unused(*keyring, label, "disconnect"); code != exit_ok) return code;
  }
  return finish(keyring::disconnect_entry(*keyring, label),
                fmt::format("{} is gone from {}, and stays where it was connected to", label,
                            keyring->path()));
}

}  // namespace gaiter::cli
