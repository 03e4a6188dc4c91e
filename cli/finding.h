// What `gaiter check` found.
#pragma once

#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/section.h"

namespace gaiter::cli {

struct Finding {
  enum class Severity {
    note,     // right, but look at it
    warning,  // works, but not as somebody will have meant it, or not for long
    error,    // connections are refused
  };
  Severity severity;
  policy::Error where_and_what;
};

using Findings = std::vector<Finding>;

// A finding about a rule, at the rule's own line; or about one of its settings,
// where that was written.
Finding about(Finding::Severity severity, const policy::Rule& rule, std::string message);
Finding about(Finding::Severity severity, const policy::Policy& policy, const policy::Rule& rule,
              policy::Setting setting, std::string message);

}  // namespace gaiter::cli
