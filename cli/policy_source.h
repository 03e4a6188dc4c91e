// Which policy a verb looks at.
#pragma once

#include <optional>
#include <string>

#include "policy/policy.h"

namespace gaiter::cli {

// `path`, or without one what a program started here would use.
policy::Source source_of(const std::string& path);

// As messages name it: its path, or "GAITER_POLICY_TEXT".
std::string name_of(const policy::Source& source);

// Says what is wrong if it cannot be loaded.
std::optional<policy::Policy> load_or_say(const policy::Source& source);

}  // namespace gaiter::cli
