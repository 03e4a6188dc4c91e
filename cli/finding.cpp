#include "cli/finding.h"

namespace gaiter::cli {

Finding about(Finding::Severity severity, const policy::Rule& rule, std::string message) {
  return {severity, {rule.file, rule.line, std::move(message)}};
}

Finding about(Finding::Severity severity, const policy::Policy& policy, const policy::Rule& rule,
              policy::Setting setting, std::string message) {
  const policy::Origin& origin = rule.origins[static_cast<size_t>(setting)];
  if (origin.file < 0) return about(severity, rule, std::move(message));
  return {severity,
          {policy.files()[static_cast<size_t>(origin.file)], origin.line, std::move(message)}};
}

}  // namespace gaiter::cli
