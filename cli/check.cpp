#include "cli/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "cli/check_rules.h"
#include "cli/output.h"
#include "cli/policy_source.h"

namespace gaiter::cli {
namespace {

using policy::Policy;
using Severity = Finding::Severity;

// What there is to say when the policy's keyring cannot be opened.
Findings without_keyring(const Policy& policy, const std::string& path,
                         const keyring::Error& error) {
  const auto needy = std::ranges::find_if(policy.rules(), needs_keyring);
  if (needy == policy.rules().end()) return {};
  if (error.kind != keyring::Error::Kind::not_found)
    return {about(Severity::error, *needy, error.message)};
  const auto labelled = std::ranges::find_if(policy.rules(), needs_label);
  const bool is_labelled = labelled != policy.rules().end();
  return {about(is_labelled ? Severity::error : Severity::warning, is_labelled ? *labelled : *needy,
                fmt::format("the keyring {} does not exist; `gaiter keyring create` or the "
                            "first `gaiter run` makes it",
                            path))};
}

void append(Findings& findings, Findings more) {
  std::ranges::move(more, std::back_inserter(findings));
}

// By file as they were read, and by line, as a person mends them.
void sort(Findings& findings, const std::vector<std::string>& files) {
  std::map<std::string_view, int> places;
  for (const std::string& file : files) places.emplace(file, static_cast<int>(places.size()) + 1);
  std::ranges::stable_sort(findings, {}, [&](const Finding& finding) {
    return std::pair(places[finding.where_and_what.file], finding.where_and_what.line);
  });
}

Findings check_all(const policy::Source& source, const CheckOptions& options, size_t& rule_count) {
  Findings findings;
  for (policy::Error& error : Policy::check(source))
    findings.push_back({Severity::error, std::move(error)});
  if (!findings.empty()) return findings;

  const auto policy = Policy::load(source);
  if (!policy) return {{Severity::error, policy.error()}};
  rule_count = policy->rules().size();
  if (policy->rules().empty() && policy->unmatched() == policy::Unmatched::pass) {
    findings.push_back(
        {Severity::warning, {source.path, 0, "there are no rules: nothing is protected"}});
  }
  append(findings, check_rules(*policy));
  const std::string path = options.keyring.empty() ? keyring_path(*policy) : options.keyring;
  const auto keyring = keyring::Keyring::open(path);
  append(findings, keyring ? check_certificates(*policy, *keyring, options.soon)
                           : without_keyring(*policy, path, keyring.error()));
  sort(findings, policy->files());
  return findings;
}

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

void print_findings(const Findings& findings, const std::string& what, size_t rule_count) {
  for (const Finding& finding : findings) {
    const bool is_error = finding.severity == Severity::error;
    print(fmt::format("{}{}{}\n", is_error ? "" : name(finding.severity), is_error ? "" : ": ",
                      printable(finding.where_and_what.text())));
  }
  const bool good = std::ranges::all_of(
      findings, [](const Finding& found) { return found.severity == Severity::note; });
  if (good)
    print(fmt::format("{}: {} rule{}, good\n", what, rule_count, rule_count == 1 ? "" : "s"));
}

void print_json_findings(const Findings& findings, const std::string& what, size_t rule_count) {
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

int check(const CheckOptions& options) {
  const policy::Source source = source_of(options.path);
  if (source.path.empty() && source.text.empty()) {
    say("there is no policy to check: name one, set GAITER_POLICY, or make /etc/gaiter");
    return exit_refused;
  }
  const std::string what = name_of(source);
  size_t rule_count = 0;
  const Findings findings = check_all(source, options, rule_count);
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
