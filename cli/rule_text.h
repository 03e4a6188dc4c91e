// Rules in words.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/policy.h"

namespace gaiter::cli {

struct ConditionText {
  std::string_view key;  // "remote_ports"
  std::string value;     // "6379, 7000-7999"
};

// The conditions that a rule has, but for its direction; those that any connection
// meets are left out.
std::vector<ConditionText> conditions_of(const policy::Rule& rule);

// One of them, by its key; "any" if the rule does not have it.
std::string condition_text(const policy::Rule& rule, std::string_view key);

// "FILE:LINE", where the rule was written.
std::string place_of(const policy::Rule& rule);

// The labels of its certificates, "default" for the keyring's; "none" without any.
std::string certificates_text(const policy::Rule& rule);

}  // namespace gaiter::cli
