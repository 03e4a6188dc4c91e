#include "cli/check_rules.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <set>

#include "cli/rule_text.h"
#include "engine/groups.h"
#include "keyring/ticket_keys.h"
#include "policy/analysis.h"
#include "policy/user_map.h"
#include "policy/vocabulary.h"

namespace gaiter::cli {
namespace {

using policy::Direction;
using policy::Policy;
using policy::Rule;
using policy::Setting;
using policy::Tls;
using enum Finding::Severity;

bool is_protected(const Rule& rule) { return policy::may_protect(rule.settings); }

void check_reachable(const Policy& policy, Findings& findings) {
  for (const policy::Unreachable& found : policy::find_unreachable(policy.rules())) {
    std::string by;
    for (const Rule* rule : found.shadowed_by) {
      by += fmt::format("{}{} ({})", by.empty() ? "" : ", ", policy::quote(rule->name),
                        place_of(*rule));
    }
    findings.push_back(
        about(warning, *found.rule,
              fmt::format("the rule {} can never match: every connection that it is for is taken "
                          "by {} before it",
                          policy::quote(found.rule->name), by)));
  }
}

const Rule* rule_to_this_host(const Policy& policy, uint16_t port) {
  sockaddr_in remote{};
  remote.sin_family = AF_INET;
  remote.sin_port = htons(port);
  remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return policy.match(
      {.direction = Direction::outbound, .remote = reinterpret_cast<const sockaddr*>(&remote)});
}

// A program of this host that connects to a port which another one protects has to
// speak TLS there too. Of a range its two ends are looked at.
void check_both_ends(const Policy& policy, Findings& findings) {
  std::set<uint16_t> ports;
  for (const Rule& rule : policy.rules()) {
    if (rule.direction != Direction::inbound || rule.settings.tls != Tls::required) continue;
    for (const policy::PortRange& range : rule.local_ports) {
      for (const uint16_t port : {range.first, range.last}) {
        if (!ports.insert(port).second) continue;
        const Rule* out = rule_to_this_host(policy, port);
        if (out != nullptr && out->settings.tls == Tls::off) {
          findings.push_back(about(
              warning, policy, *out, Setting::tls,
              fmt::format("port {} is protected inbound ({}), but this rule makes connections to "
                          "it clear: they will be refused; say tls = \"required\"",
                          port, place_of(rule))));
        } else if (out == nullptr && policy.unmatched() == policy::Unmatched::pass) {
          findings.push_back(
              about(note, rule,
                    fmt::format("port {} is protected inbound, but programs of this host connect "
                                "to it in clear, and will be refused: add outbound = {{ }} for it, "
                                "unless none does",
                                port)));
        }
      }
    }
  }
}

std::string day_text(std::chrono::sys_days days) {
  const std::chrono::year_month_day day(days);
  return fmt::format("{}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

void check_exceptions(const Policy& policy, Findings& findings) {
  const auto now = std::chrono::system_clock::now();
  for (const Rule& rule : policy.rules()) {
    if (rule.settings.until && *rule.settings.until <= now) {
      findings.push_back(about(warning, policy, rule, Setting::until,
                               fmt::format("until = \"{}\" has come: the rule is tls = \"{}\", "
                                           "mode = \"enforce\" now; say so",
                                           day_text(*rule.settings.until),
                                           to_string(policy::tls_at(rule.settings, now)))));
    } else if (rule.settings.mode == policy::Mode::monitor && is_protected(rule)) {
      findings.push_back(
          about(note, policy, rule, Setting::mode,
                rule.settings.until
                    ? fmt::format("lets clear connections through until {}",
                                  day_text(*rule.settings.until))
                    : "lets clear connections through; until = \"YYYY-MM-DD\" would end that"));
    }
  }
}

void check_groups(const Policy& policy, Findings& findings) {
  for (const Rule& rule : policy.rules()) {
    if (!is_protected(rule)) continue;
    for (const policy::Group& group : rule.settings.groups) {
      if (!group.required || engine::has_group(group.name)) continue;
      findings.push_back(about(error, policy, rule, Setting::groups,
                               fmt::format("the group {} is required, but the OpenSSL in use does "
                                           "not have it; without the ! it is left out",
                                           group.name)));
    }
  }
}

// One that cannot be read refuses every client. RFC 9325 3.4: a key that is not changed
// regularly, e.g. once a week, takes away forward secrecy.
void check_ticket_keys(const Policy& policy, Findings& findings) {
  constexpr std::chrono::days week(7);
  std::set<std::string> looked_at;
  for (const Rule& rule : policy.rules()) {
    const std::string& file = rule.settings.session.ticket_keys;
    if (file.empty() || rule.settings.session.tickets == 0 || !rule.is_tls_server() ||
        !is_protected(rule) || !looked_at.insert(file).second) {
      continue;
    }
    const auto keys = keyring::read_ticket_keys_file(file);
    const auto add = [&](Finding::Severity severity, std::string message) {
      findings.push_back(about(severity, policy, rule, Setting::session, std::move(message)));
    };
    if (!keys) {
      add(error, "ticket_keys: " + keys.error().message);
      continue;
    }
    const auto age = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now() -
                                                           keys->front().made);
    if (age >= week)
      add(warning,
          fmt::format("ticket_keys: the newest key of {} is {} days old: who learns it can "
                      "read the sessions of all that time; gaiter keyring ticket-keys "
                      "rotate, once a week at least",
                      file, age.count()));
  }
}

void check_profiles(const Policy& policy, Findings& findings) {
  for (const Rule& rule : policy.rules()) {
    if (rule.settings.profile != policy::Profile::fips || !is_protected(rule)) continue;
    findings.push_back(about(note, policy, rule, Setting::profile,
                             "only algorithms that FIPS 140-3 approves of are spoken; Gaiter and "
                             "its OpenSSL are not a validated module, and claim no compliance"));
  }
}

// A map that cannot be read refuses every client, and so does a user who is not there.
void check_user_maps(const Policy& policy, Findings& findings) {
  std::set<std::string> looked_at;
  for (const Rule& rule : policy.rules()) {
    if (!rule.settings.map_user || !is_protected(rule)) continue;
    const std::string& named = rule.settings.map_file;
    const std::string path = named.empty() ? policy::default_user_map(rule.file) : named;
    if (!looked_at.insert(path).second) continue;
    const auto filters = policy::load_user_map(path);
    if (!filters) {
      findings.push_back({error, filters.error()});
      continue;
    }
    const auto add = [&](std::string message) {
      findings.push_back({warning, {path, 0, std::move(message)}});
    };
    if (filters->empty()) add("maps nobody: every client is refused");
    std::set<std::string> missing;
    for (const policy::UserFilter& filter : *filters)
      if (!policy::is_local_user(filter.user)) missing.insert(filter.user);
    for (const std::string& user : missing)
      add(fmt::format("the user {} is not in /etc/passwd: who maps to it is refused",
                      policy::quote(user)));
  }
}

}  // namespace

Findings check_rules(const Policy& policy) {
  Findings findings;
  check_reachable(policy, findings);
  check_both_ends(policy, findings);
  check_exceptions(policy, findings);
  check_groups(policy, findings);
  check_ticket_keys(policy, findings);
  check_profiles(policy, findings);
  check_user_maps(policy, findings);
  return findings;
}

}  // namespace gaiter::cli
