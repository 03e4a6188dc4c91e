#include "cli/explain.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "cli/certificate.h"
#include "cli/check_certificates.h"
#include "cli/endpoint.h"
#include "cli/output.h"
#include "cli/policy_source.h"
#include "cli/rule_text.h"
#include "policy/match.h"
#include "policy/vocabulary.h"

namespace gaiter::cli {
namespace {

using policy::Condition;
using policy::Rule;

template <class T>
using Result = std::expected<T, std::string>;

// The connection that was asked for; owns what the Subject refers to.
struct Connection {
  policy::Direction direction = policy::Direction::inbound;
  std::optional<Endpoint> local;
  std::optional<Endpoint> remote;
  std::string program;
  std::string unit;
  uid_t uid = geteuid();
  gid_t gid = getegid();
  std::vector<gid_t> groups;

  std::string user_text() const {
    const passwd* entry = getpwuid(uid);
    return entry != nullptr ? entry->pw_name : std::to_string(uid);
  }
};

template <class T>
std::optional<T> number_of(const std::string& text) {
  T number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

Result<void> read_user(const std::string& text, Connection& connection) {
  const auto number = number_of<uid_t>(text);
  const passwd* entry = number ? getpwuid(*number) : getpwnam(text.c_str());
  if (entry == nullptr) {
    if (!number) return std::unexpected(fmt::format("--user {}: no such user", printable(text)));
    connection.uid = *number;
    return {};
  }
  connection.uid = entry->pw_uid;
  connection.gid = entry->pw_gid;
  int count = 0;
  getgrouplist(entry->pw_name, entry->pw_gid, nullptr, &count);
  connection.groups.resize(static_cast<size_t>(count));
  getgrouplist(entry->pw_name, entry->pw_gid, connection.groups.data(), &count);
  return {};
}

Result<void> read_group(const std::string& text, Connection& connection) {
  const struct group* entry = getgrnam(text.c_str());
  const auto number = number_of<gid_t>(text);
  if (entry == nullptr && !number)
    return std::unexpected(fmt::format("--group {}: no such group", printable(text)));
  connection.gid = entry != nullptr ? entry->gr_gid : *number;
  connection.groups.clear();
  return {};
}

Result<std::optional<Endpoint>> read_endpoint(std::string_view option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto endpoint = parse_endpoint(text);
  if (!endpoint)
    return std::unexpected(fmt::format("{} {}: {}", option, printable(text), endpoint.error()));
  return std::move(*endpoint);
}

Result<Connection> connection_of(const ExplainOptions& options) {
  Connection connection;
  const bool inbound = options.direction == "inbound";
  connection.direction = inbound ? policy::Direction::inbound : policy::Direction::outbound;
  if (auto local = read_endpoint("--local", options.local); local)
    connection.local = std::move(*local);
  else
    return std::unexpected(local.error());
  if (auto remote = read_endpoint("--remote", options.remote); remote)
    connection.remote = std::move(*remote);
  else
    return std::unexpected(remote.error());
  if (inbound ? !connection.local : !connection.remote) {
    return std::unexpected(inbound
                               ? "an inbound connection needs --local, where the program listens"
                               : "an outbound connection needs --remote, where it connects to");
  }
  connection.program = options.program;
  connection.unit = options.unit;
  connection.groups.resize(static_cast<size_t>(std::max(getgroups(0, nullptr), 0)));
  if (getgroups(static_cast<int>(connection.groups.size()), connection.groups.data()) < 0)
    connection.groups.clear();
  if (!options.user.empty())
    if (auto read = read_user(options.user, connection); !read)
      return std::unexpected(read.error());
  if (!options.group.empty())
    if (auto read = read_group(options.group, connection); !read)
      return std::unexpected(read.error());
  return connection;
}

// What the connection has that a condition looked at.
std::string looked_at(Condition condition, const Connection& connection) {
  const auto part = [](const std::optional<Endpoint>& end, bool port) -> std::string {
    if (!end) return "it is not known";
    const size_t colon = end->text.rfind(':');
    return port ? end->text.substr(colon + 1) : end->text.substr(0, colon);
  };
  switch (condition) {
    case Condition::direction:
      return std::string(policy::to_string(connection.direction));
    case Condition::local_ports:
      return part(connection.local, true);
    case Condition::remote_ports:
      return part(connection.remote, true);
    case Condition::local:
      return part(connection.local, false);
    case Condition::remote:
      return part(connection.remote, false);
    case Condition::program:
      return connection.program.empty() ? "not said (--program)" : connection.program;
    case Condition::user:
      return connection.user_text();
    case Condition::group: {
      const struct group* entry = getgrgid(connection.gid);
      return entry != nullptr ? entry->gr_name : std::to_string(connection.gid);
    }
    case Condition::unit:
      return connection.unit.empty() ? "none (--unit)" : connection.unit;
  }
  return "";
}

// "local_ports: 6379 is not in 7000-7999".
std::string why_not(const Rule& rule, Condition condition, const Connection& connection) {
  const std::string_view key = policy::to_string(condition);
  const std::string wanted = condition == Condition::direction
                                 ? std::string(policy::to_string(rule.direction))
                                 : condition_text(rule, key);
  const bool range = wanted.find_first_of(",-/*?[") != std::string::npos;
  return fmt::format("{}: {} is not {}{}", key, looked_at(condition, connection),
                     range ? "in " : "", wanted);
}

struct Passed {
  const Rule* rule;
  std::string_view condition;
  std::string reason;
};

struct Certificate {
  std::string label;
  std::string error;  // "" = `facts` holds
  CertificateFacts facts;
};

struct Explanation {
  const Rule* rule = nullptr;
  std::vector<Passed> earlier;  // rules that come before it, or all
  std::vector<policy::EffectiveSetting> settings;
  std::vector<Certificate> certificates;
};

std::vector<Certificate> certificates_of(const Rule& rule, const std::string& path) {
  std::vector<std::string> labels = rule.settings.certificates;
  for (const policy::SniEntry& entry : rule.settings.sni)
    for (const std::string& label : entry.labels)
      if (std::ranges::find(labels, label) == labels.end()) labels.push_back(label);
  const auto keyring = keyring::Keyring::open(path);
  std::vector<Certificate> certificates;
  for (const std::string& label : labels) {
    Certificate certificate{label.empty() ? "default" : label, "", {}};
    if (!keyring) {
      certificate.error = keyring.error().message;
    } else if (const auto identity = keyring->identity(label)) {
      certificate.label = identity->label;
      certificate.facts = facts_of(identity->leaf.get());
    } else {
      certificate.error = identity.error().message;
    }
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

Explanation explanation_of(const policy::Policy& policy, const Connection& connection,
                           const std::string& keyring) {
  const policy::Process process{.program = connection.program,
                                .uid = connection.uid,
                                .gid = connection.gid,
                                .groups = connection.groups,
                                .unit = connection.unit};
  const policy::Subject subject{.direction = connection.direction,
                                .local = connection.local ? connection.local->get() : nullptr,
                                .remote = connection.remote ? connection.remote->get() : nullptr,
                                .process = &process};
  const auto point = policy::Point::of(subject);
  Explanation explanation;
  explanation.rule = policy.match(subject);
  for (const Rule& rule : policy.rules()) {
    if (&rule == explanation.rule || !point) break;
    if (const auto condition = policy::mismatch(rule, *point)) {
      explanation.earlier.push_back(
          {&rule, policy::to_string(*condition), why_not(rule, *condition, connection)});
    }
  }
  if (explanation.rule == nullptr) return explanation;
  explanation.settings = policy.effective(*explanation.rule);
  if (policy::may_protect(explanation.rule->settings))
    explanation.certificates = certificates_of(*explanation.rule, keyring);
  return explanation;
}

// What an exception turned into when its day came.
struct Now {
  policy::Tls tls;
  policy::Mode mode;
  bool is_over;  // differs from what the rule says
};

Now now_of(const Rule& rule) {
  const auto now = std::chrono::system_clock::now();
  const policy::Tls tls = policy::tls_at(rule.settings, now);
  const policy::Mode mode = policy::mode_at(rule.settings, now);
  return {tls, mode, tls != rule.settings.tls || mode != rule.settings.mode};
}

std::string without_rule(const policy::Policy& policy) {
  return policy.unmatched() == policy::Unmatched::block
             ? "it is refused, as unmatched = \"block\" says"
             : "it is in clear, as unmatched = \"pass\" says";
}

std::string certificate_text(const Certificate& certificate) {
  if (!certificate.error.empty()) return certificate.error;
  const CertificateFacts& facts = certificate.facts;
  return fmt::format(
      "{}, {} until {}", facts.subject,
      facts.expired ? "EXPIRED: it was good" : fmt::format("{} days left, good", facts.days_left),
      facts.not_after);
}

void print_text(const Explanation& explanation, const policy::Policy& policy) {
  std::string out;
  const Rule* rule = explanation.rule;
  if (rule != nullptr) {
    out += fmt::format("rule {} ({})\n", policy::quote(rule->name), place_of(*rule));
    if (const Now now = now_of(*rule); now.is_over)
      out += fmt::format("its `until` has come: tls = \"{}\", mode = \"{}\"\n",
                         policy::to_string(now.tls), policy::to_string(now.mode));
  } else {
    out += fmt::format("no rule is for this connection: {}\n", without_rule(policy));
  }
  if (!explanation.earlier.empty()) {
    out += rule != nullptr ? "\nearlier rules are not for it:\n" : "\nno rule is for it:\n";
    std::vector<std::vector<std::string>> rows;
    for (const Passed& passed : explanation.earlier)
      rows.push_back({"  " + passed.rule->name, place_of(*passed.rule), passed.reason});
    out += table(rows);
  }
  if (!explanation.settings.empty()) {
    out += "\nsettings:\n";
    std::vector<std::vector<std::string>> rows;
    for (const policy::EffectiveSetting& setting : explanation.settings)
      rows.push_back({"  " + std::string(setting.key), setting.value, setting.origin});
    out += table(rows);
  }
  if (!explanation.certificates.empty()) {
    out += "\ncertificates:\n";
    std::vector<std::vector<std::string>> rows;
    for (const Certificate& certificate : explanation.certificates)
      rows.push_back({"  " + certificate.label, certificate_text(certificate)});
    out += table(rows);
  }
  print(out);
}

Object rule_object(const Rule& rule) {
  return {{"name", rule.name}, {"file", rule.file}, {"line", int64_t{rule.line}}};
}

// The rule with what holds now, if `until` has changed that.
Object rule_with_now(const Rule& rule) {
  Object object = rule_object(rule);
  if (const Now now = now_of(rule); now.is_over)
    object.push_back({"now", Object{{"tls", std::string(policy::to_string(now.tls))},
                                    {"mode", std::string(policy::to_string(now.mode))}}});
  return object;
}

void print_object(const Explanation& explanation, const policy::Policy& policy) {
  Object object;
  if (explanation.rule != nullptr)
    object.push_back({"rule", rule_with_now(*explanation.rule)});
  else
    object.push_back({"unmatched", std::string(policy::to_string(policy.unmatched()))});
  std::vector<Object> earlier;
  for (const Passed& passed : explanation.earlier) {
    Object one = rule_object(*passed.rule);
    one.push_back({"condition", std::string(passed.condition)});
    one.push_back({"reason", passed.reason});
    earlier.push_back(std::move(one));
  }
  object.push_back({"earlier", std::move(earlier)});
  std::vector<Object> settings;
  for (const policy::EffectiveSetting& setting : explanation.settings)
    settings.push_back(
        {{"key", std::string(setting.key)}, {"value", setting.value}, {"origin", setting.origin}});
  object.push_back({"settings", std::move(settings)});
  std::vector<Object> certificates;
  for (const Certificate& one : explanation.certificates) {
    Object certificate{{"label", one.label}};
    if (!one.error.empty()) {
      certificate.push_back({"error", one.error});
    } else {
      certificate.push_back({"subject", one.facts.subject});
      certificate.push_back({"not_after", one.facts.not_after});
      certificate.push_back({"days_left", int64_t{one.facts.days_left}});
      certificate.push_back({"expired", one.facts.expired});
    }
    certificates.push_back(std::move(certificate));
  }
  object.push_back({"certificates", std::move(certificates)});
  print_json(object);
}

}  // namespace

int explain(const ExplainOptions& options) {
  const auto connection = connection_of(options);
  if (!connection) {
    say(connection.error());
    return exit_refused;
  }
  const auto policy = load_or_say(source_of(options.policy));
  if (!policy) return exit_refused;
  const std::string keyring = options.keyring.empty() ? keyring_path(*policy) : options.keyring;
  const Explanation explanation = explanation_of(*policy, *connection, keyring);
  if (options.json)
    print_object(explanation, *policy);
  else
    print_text(explanation, *policy);
  return explanation.rule != nullptr ? exit_ok : exit_attention;
}

}  // namespace gaiter::cli
