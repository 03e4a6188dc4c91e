#include "cli/policy_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/output.h"
#include "cli/policy_source.h"
#include "cli/rule_text.h"

namespace gaiter::cli {
namespace {

using policy::Policy;
using policy::Rule;

// Everything that a rule says, by key and in order.
using Said = std::vector<std::pair<std::string, std::string>>;

struct Change {
  std::string key;
  std::string before;  // "" = it was not there
  std::string after;
};

struct RuleChange {
  std::string_view kind;  // "added", "removed", "changed", "moved"
  std::string name;
  std::string place;  // where it is, or was, written
  std::vector<Change> changes;
};

struct Difference {
  std::vector<Change> globals;
  std::vector<RuleChange> rules;
  bool empty() const { return globals.empty() && rules.empty(); }
};

Said said_by(const Policy& policy, const Rule& rule) {
  Said said = {{"direction", std::string(policy::to_string(rule.direction))}};
  for (auto& [key, value] : conditions_of(rule)) said.emplace_back(key, std::move(value));
  if (rule.priority != 0) said.emplace_back("priority", std::to_string(rule.priority));
  for (policy::EffectiveSetting& setting : policy.effective(rule))
    said.emplace_back(setting.key, std::move(setting.value));
  return said;
}

std::vector<Change> changes_between(const Said& before, const Said& after) {
  std::vector<Change> changes;
  const auto value_in = [](const Said& said, const std::string& key) {
    const auto found = std::ranges::find(said, key, &Said::value_type::first);
    return found == said.end() ? std::string() : found->second;
  };
  for (const auto& [key, value] : before)
    if (const std::string now = value_in(after, key); now != value)
      changes.push_back({key, value, now});
  for (const auto& [key, value] : after)
    if (std::ranges::find(before, key, &Said::value_type::first) == before.end())
      changes.push_back({key, "", value});
  return changes;
}

const Rule* rule_named(const Policy& policy, const std::string& name) {
  const auto found = std::ranges::find(policy.rules(), name, &Rule::name);
  return found == policy.rules().end() ? nullptr : &*found;
}

// The rules that both have, in the order of `policy`.
std::vector<std::string> common_names(const Policy& policy, const Policy& other) {
  std::vector<std::string> names;
  for (const Rule& rule : policy.rules())
    if (rule_named(other, rule.name) != nullptr) names.push_back(rule.name);
  return names;
}

Difference difference_of(const Policy& before, const Policy& after) {
  Difference difference;
  const auto globals = [](const Policy& policy) {
    std::string trusted;
    for (const std::string& pattern : policy.trusted_children())
      trusted += (trusted.empty() ? "" : ", ") + pattern;
    return Said{{"unmatched", std::string(policy::to_string(policy.unmatched()))},
                {"children", std::string(policy::to_string(policy.children()))},
                {"trusted_children", trusted.empty() ? "none" : trusted},
                {"keyring", policy.keyring().empty() ? "the user's own" : policy.keyring()}};
  };
  difference.globals = changes_between(globals(before), globals(after));
  for (const Rule& rule : before.rules())
    if (rule_named(after, rule.name) == nullptr)
      difference.rules.push_back({"removed", rule.name, place_of(rule), {}});
  for (const Rule& rule : after.rules()) {
    const Rule* old = rule_named(before, rule.name);
    if (old == nullptr) {
      difference.rules.push_back({"added", rule.name, place_of(rule), {}});
    } else if (auto changes = changes_between(said_by(before, *old), said_by(after, rule));
               !changes.empty()) {
      difference.rules.push_back({"changed", rule.name, place_of(rule), std::move(changes)});
    }
  }
  // The order decides among rules that match the same connection.
  const auto old_order = common_names(before, after);
  const auto new_order = common_names(after, before);
  for (size_t i = 0; i < new_order.size(); i++) {
    if (old_order[i] == new_order[i]) continue;
    const Rule& rule = *rule_named(after, new_order[i]);
    difference.rules.push_back({"moved", rule.name, place_of(rule), {}});
    break;  // all behind it may have moved as well
  }
  return difference;
}

std::string change_text(const Change& change) {
  if (change.before.empty()) return fmt::format("{}: {} is new", change.key, change.after);
  if (change.after.empty()) return fmt::format("{}: {} is gone", change.key, change.before);
  return fmt::format("{}: {} -> {}", change.key, change.before, change.after);
}

void print_text(const Difference& difference) {
  const std::map<std::string_view, char> signs = {
      {"removed", '-'}, {"added", '+'}, {"changed", '~'}, {"moved", '^'}};
  for (const Change& change : difference.globals) print("~ " + change_text(change) + "\n");
  for (const RuleChange& rule : difference.rules) {
    print(fmt::format("{} {} ({}){}\n", signs.at(rule.kind), rule.name, rule.place,
                      rule.kind == "moved" ? ": from here on, rules stand in another order" : ""));
    for (const Change& change : rule.changes) print("    " + change_text(change) + "\n");
  }
}

std::vector<Object> objects_of(const std::vector<Change>& changes) {
  std::vector<Object> objects;
  for (const Change& change : changes)
    objects.push_back({{"key", change.key}, {"before", change.before}, {"after", change.after}});
  return objects;
}

void print_object(const Difference& difference) {
  std::vector<Object> rules;
  for (const RuleChange& rule : difference.rules)
    rules.push_back({{"change", std::string(rule.kind)},
                     {"name", rule.name},
                     {"place", rule.place},
                     {"settings", objects_of(rule.changes)}});
  print_json(Object{{"globals", objects_of(difference.globals)}, {"rules", std::move(rules)}});
}

}  // namespace

int policy_diff(const std::string& before, const std::string& after, bool json) {
  const auto old_policy = load_or_say(source_of(before));
  const auto new_policy = load_or_say(source_of(after));
  if (!old_policy || !new_policy) return exit_refused;
  const Difference difference = difference_of(*old_policy, *new_policy);
  if (json)
    print_object(difference);
  else
    print_text(difference);
  return difference.empty() ? exit_ok : exit_attention;
}

}  // namespace gaiter::cli
