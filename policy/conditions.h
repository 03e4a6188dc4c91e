// The conditions of a rule, read from its group.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/accounts.h"
#include "policy/node.h"
#include "policy/report.h"
#include "policy/rule.h"

namespace gaiter::policy {

// All keys of a rule that are no settings: conditions, direction, name, priority.
inline constexpr std::string_view rule_keys[] = {
    "direction", "local", "remote", "local_ports", "remote_ports", "program",
    "user",      "group", "unit",   "name",        "priority"};

// Reads all conditions but `direction` into `rule`, and its priority.
void read_conditions(const Node& group, Rule& rule, Accounts& accounts, const Report& report);

// One pattern on programs or several (policy/glob.h). `when_empty` says what nobody means
// by an empty list.
void read_programs(const Node& node, const std::string& when_empty, std::vector<std::string>& out,
                   const Report& report);

}  // namespace gaiter::policy
