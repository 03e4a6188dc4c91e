#include "cli/policy_show.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/output.h"
#include "cli/policy_source.h"
#include "cli/rule_text.h"

namespace gaiter::cli {
namespace {

using policy::Rule;

// "10.0.0.0/8 port 6379", "port 443", "any".
std::string end_text(const Rule& rule, std::string_view addresses, std::string_view ports) {
  const std::string address = condition_text(rule, addresses);
  const std::string port = condition_text(rule, ports);
  if (port == "any") return address;
  return (address == "any" ? "" : address + " ") + "port " + port;
}

// The program, user, group and unit that a rule is for; "" if for all.
std::string who_text(const Rule& rule) {
  std::string out;
  for (const auto& [key, value] : conditions_of(rule)) {
    if (key != "program" && key != "user" && key != "group" && key != "unit") continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", key, value);
  }
  return out;
}

std::string tls_text(const Rule& rule) {
  std::string out(policy::to_string(rule.settings.tls));
  if (rule.settings.mode == policy::Mode::monitor) out += ", monitor";
  if (rule.settings.role != policy::Role::automatic)
    out += fmt::format(", as {}", policy::to_string(rule.settings.role));
  if (rule.settings.until) {
    const std::chrono::year_month_day day(*rule.settings.until);
    out += fmt::format(", until {}-{:02}-{:02}", static_cast<int>(day.year()),
                       static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  }
  return out;
}

// Who may be at the other end.
std::string peer_text(const Rule& rule) {
  const policy::Settings& settings = rule.settings;
  if (settings.tls == policy::Tls::off) return "in clear";
  if (settings.tls == policy::Tls::block) return "nobody";
  std::string out;
  if (rule.is_tls_server()) {
    if (settings.client_auth == policy::ClientAuth::none) return "anybody";
    out = fmt::format("certificate {}", policy::to_string(settings.client_auth));
  } else {
    out = fmt::format("verify {}", policy::to_string(settings.verify));
    if (!settings.server_name.empty()) out += " as " + settings.server_name;
    if (!settings.interchangeable.empty())
      out += fmt::format(", {} interchangeable", settings.interchangeable.size());
  }
  if (!settings.trust.empty()) out += fmt::format(", trust {}", fmt::join(settings.trust, " or "));
  std::string allowed;
  for (const policy::PeerPattern& pattern : settings.allow) {
    allowed += fmt::format("{}{}:{}", allowed.empty() ? "" : ", ", policy::to_string(pattern.kind),
                           pattern.text);
  }
  if (!allowed.empty()) out += ", allow " + allowed;
  if (!settings.deny.empty()) out += fmt::format(", deny {}", settings.deny.size());
  if (settings.map_user) out += ", mapped to a user";
  return out;
}

// ", but for /usr/bin/sudo".
std::string trusted_text(const policy::Policy& policy) {
  std::string out;
  for (const std::string& pattern : policy.trusted_children())
    out += (out.empty() ? ", but for " : ", ") + pattern;
  return out;
}

void print_table(const policy::Policy& policy) {
  const bool has_who =
      std::ranges::any_of(policy.rules(), [](const Rule& rule) { return !who_text(rule).empty(); });
  std::vector<std::vector<std::string>> rows = {{"RULE", "DIRECTION", "LOCAL", "REMOTE"}};
  if (has_who) rows[0].push_back("WHO");
  for (const char* header : {"TLS", "CERTIFICATE", "PEER", "WRITTEN"}) rows[0].push_back(header);
  for (const Rule& rule : policy.rules()) {
    std::vector<std::string> row = {rule.name, std::string(policy::to_string(rule.direction)),
                                    end_text(rule, "local", "local_ports"),
                                    end_text(rule, "remote", "remote_ports")};
    if (has_who) row.push_back(who_text(rule).empty() ? "any" : who_text(rule));
    row.push_back(tls_text(rule));
    row.push_back(certificates_text(rule));
    row.push_back(peer_text(rule));
    row.push_back(place_of(rule));
    rows.push_back(std::move(row));
  }
  if (!policy.rules().empty()) print(table(rows) + "\n");
  print(fmt::format("without a rule: {}\nkeyring: {}\nchildren that cannot be preloaded: {}{}\n",
                    policy.unmatched() == policy::Unmatched::pass ? "in clear" : "refused",
                    policy.keyring().empty() ? "the user's own" : policy.keyring(),
                    policy::to_string(policy.children()), trusted_text(policy)));
}

void print_object(const policy::Policy& policy) {
  std::vector<Object> rules;
  for (const Rule& rule : policy.rules()) {
    Object conditions;
    for (auto& [key, value] : conditions_of(rule))
      conditions.push_back({std::string(key), std::move(value)});
    std::vector<Object> settings;
    for (const policy::EffectiveSetting& setting : policy.effective(rule))
      settings.push_back({{"key", std::string(setting.key)},
                          {"value", setting.value},
                          {"origin", setting.origin}});
    rules.push_back({{"name", rule.name},
                     {"direction", std::string(policy::to_string(rule.direction))},
                     {"file", rule.file},
                     {"line", int64_t{rule.line}},
                     {"priority", int64_t{rule.priority}},
                     {"conditions", std::move(conditions)},
                     {"settings", std::move(settings)}});
  }
  print_json(Object{{"unmatched", std::string(policy::to_string(policy.unmatched()))},
                    {"children", std::string(policy::to_string(policy.children()))},
                    {"trusted_children", policy.trusted_children()},
                    {"keyring", policy.keyring()},
                    {"files", policy.files()},
                    {"rules", std::move(rules)}});
}

}  // namespace

int policy_show(const std::string& path, bool json) {
  const auto policy = load_or_say(source_of(path));
  if (!policy) return exit_refused;
  if (json)
    print_object(*policy);
  else
    print_table(*policy);
  return exit_ok;
}

}  // namespace gaiter::cli
