#include "cli/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/certificate.h"
#include "cli/output.h"

namespace gaiter::cli {
namespace {

using policy::Direction;
using policy::Rule;
using Severity = Finding::Severity;

constexpr long expires_soon_days = 30;

bool needs_identity(const Rule& rule) {
  return rule.settings.tls == policy::Tls::required && !rule.settings.certificates.empty();
}

bool needs_trust(const Rule& rule) {
  return rule.settings.tls == policy::Tls::required &&
         (rule.direction == Direction::inbound
              ? rule.settings.client_auth != policy::ClientAuth::none
              : rule.settings.verify != policy::Verify::none);
}

Finding finding(Severity severity, const Rule& rule, std::string message) {
  return {severity, {rule.file, rule.line, std::move(message)}};
}

void check_identity(const Rule& rule, const std::string& label, const keyring::Keyring& keyring,
                    std::vector<Finding>& findings) {
  const auto identity = keyring.identity(label);
  if (!identity) {
    findings.push_back(finding(Severity::error, rule, identity.error().message));
    return;
  }
  const CertificateFacts facts = facts_of(identity->leaf.get());
  if (facts.expired) {
    findings.push_back(finding(Severity::error, rule,
                               fmt::format("certificate \"{}\" expired on {}: peers refuse it",
                                           identity->label, facts.not_after)));
  } else if (facts.days_left < expires_soon_days) {
    findings.push_back(finding(Severity::warning, rule,
                               fmt::format("certificate \"{}\" expires in {} days, on {}",
                                           identity->label, facts.days_left, facts.not_after)));
  }
}

bool trusts_anyone(const std::vector<keyring::Entry>& entries) {
  return std::ranges::any_of(entries, [](const keyring::Entry& entry) {
    return entry.trusted && entry.usage != keyring::Usage::personal;
  });
}

// What there is to say when the policy's keyring cannot be opened.
std::vector<Finding> without_keyring(const policy::Policy& policy, const std::string& path,
                                     const keyring::Error& error) {
  const auto needy = std::ranges::find_if(policy.rules(), needs_keyring);
  if (needy == policy.rules().end()) return {};
  if (error.kind != keyring::Error::Kind::not_found)
    return {finding(Severity::error, *needy, error.message)};
  const bool labelled = std::ranges::any_of(policy.rules(), needs_label);
  return {finding(labelled ? Severity::error : Severity::warning, *needy,
                  fmt::format("the keyring {} does not exist; `gaiter keyring create` or the "
                              "first `gaiter run` makes it",
                              path))};
}

std::vector<Finding> check_all(const policy::Source& source, const std::string& keyring_option,
                               size_t& rule_count) {
  std::vector<Finding> findings;
  for (policy::Error& error : policy::Policy::check(source))
    findings.push_back({Severity::error, std::move(error)});
  if (!findings.empty()) return findings;

  const auto policy = policy::Policy::load(source);
  if (!policy) return {{Severity::error, policy.error()}};
  rule_count = policy->rules().size();
  if (policy->rules().empty() && policy->unmatched() == policy::Unmatched::pass) {
    findings.push_back(
        {Severity::warning, {source.path, 0, "there are no rules: nothing is protected"}});
  }
  const std::string path = keyring_option.empty() ? keyring_path(*policy) : keyring_option;
  const auto keyring = keyring::Keyring::open(path);
  std::ranges::move(keyring ? check_certificates(*policy, *keyring)
                            : without_keyring(*policy, path, keyring.error()),
                    std::back_inserter(findings));
  return findings;
}

const char* name(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

void print_findings(const std::vector<Finding>& findings, const std::string& what,
                    size_t rule_count) {
  for (const Finding& finding : findings) {
    print(fmt::format("{}{}\n", finding.severity == Severity::warning ? "warning: " : "",
                      finding.where_and_what.text()));
  }
  if (findings.empty())
    print(fmt::format("{}: {} rule{}, good\n", what, rule_count, rule_count == 1 ? "" : "s"));
}

void print_json_findings(const std::vector<Finding>& findings, const std::string& what,
                         size_t rule_count) {
  std::vector<Object> objects;
  for (const Finding& finding : findings) {
    objects.push_back({{"severity", std::string(name(finding.severity))},
                       {"file", finding.where_and_what.file},
                       {"line", int64_t{finding.where_and_what.line}},
                       {"message", finding.where_and_what.message}});
  }
  print_json(Object{{"policy", what},
                    {"rules", static_cast<int64_t>(rule_count)},
                    {"findings", std::move(objects)}});
}

}  // namespace

std::string keyring_path(const policy::Policy& policy) {
  return policy.keyring().empty() ? keyring::default_path() : policy.keyring();
}

bool needs_keyring(const Rule& rule) { return needs_identity(rule) || needs_trust(rule); }

bool needs_label(const Rule& rule) {
  return needs_identity(rule) &&
         std::ranges::any_of(rule.settings.certificates,
                             [](const std::string& label) { return !label.empty(); });
}

std::vector<Finding> check_certificates(const policy::Policy& policy,
                                        const keyring::Keyring& keyring) {
  std::vector<Finding> findings;
  for (const Rule& rule : policy.rules())
    if (needs_identity(rule))
      for (const std::string& label : rule.settings.certificates)
        check_identity(rule, label, keyring, findings);

  const auto entries = keyring.entries();
  const auto trusting = std::ranges::find_if(policy.rules(), needs_trust);
  if (trusting != policy.rules().end() && entries && !trusts_anyone(*entries)) {
    findings.push_back(finding(Severity::warning, *trusting,
                               fmt::format("the keyring {} trusts no CA: every peer is refused; "
                                           "see `gaiter keyring import --help`",
                                           keyring.path())));
  }
  return findings;
}

int check(const CheckOptions& options) {
  policy::Source source = policy::Source::from_environment();
  if (!options.path.empty()) source = {.path = options.path, .text = ""};
  if (source.path.empty() && source.text.empty()) {
    say("there is no policy to check: name one, set GAITER_POLICY, or make /etc/gaiter");
    return exit_refused;
  }
  const std::string what = source.path.empty() ? "GAITER_POLICY_TEXT" : source.path;
  size_t rule_count = 0;
  const std::vector<Finding> findings = check_all(source, options.keyring, rule_count);
  if (options.json)
    print_json_findings(findings, what, rule_count);
  else
    print_findings(findings, what, rule_count);

  const auto has = [&](Severity severity) {
    return std::ranges::any_of(findings,
                               [&](const Finding& found) { return found.severity == severity; });
  };
  return has(Severity::error) ? exit_refused : has(Severity::warning) ? exit_attention : exit_ok;
}

}  // namespace gaiter::cli
