#include "cli/rule_text.h"

#include <grp.h>
#include <pwd.h>

namespace gaiter::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string user_name(uid_t uid) {
  const passwd* entry = getpwuid(uid);
  return entry != nullptr ? entry->pw_name : std::to_string(uid);
}

std::string group_name(gid_t gid) {
  const struct group* entry = getgrgid(gid);
  return entry != nullptr ? entry->gr_name : std::to_string(gid);
}

}  // namespace

std::vector<ConditionText> conditions_of(const policy::Rule& rule) {
  std::vector<ConditionText> conditions;
  if (!rule.local_ports.empty())
    conditions.push_back({"local_ports", policy::to_string(rule.local_ports)});
  if (!rule.remote_ports.empty())
    conditions.push_back({"remote_ports", policy::to_string(rule.remote_ports)});
  if (!rule.local.empty()) conditions.push_back({"local", policy::to_string(rule.local)});
  if (!rule.remote.empty()) conditions.push_back({"remote", policy::to_string(rule.remote)});
  if (!rule.programs.empty()) conditions.push_back({"program", joined(rule.programs)});
  std::vector<std::string> users;
  for (const uid_t uid : rule.users) users.push_back(user_name(uid));
  if (!users.empty()) conditions.push_back({"user", joined(users)});
  std::vector<std::string> groups;
  for (const gid_t gid : rule.groups) groups.push_back(group_name(gid));
  if (!groups.empty()) conditions.push_back({"group", joined(groups)});
  if (!rule.units.empty()) conditions.push_back({"unit", joined(rule.units)});
  return conditions;
}

std::string condition_text(const policy::Rule& rule, std::string_view key) {
  for (ConditionText& condition : conditions_of(rule))
    if (condition.key == key) return std::move(condition.value);
  return "any";
}

std::string place_of(const policy::Rule& rule) {
  return rule.file + ":" + std::to_string(rule.line);
}

std::string certificates_text(const policy::Rule& rule) {
  if (!policy::may_protect(rule.settings)) return "none";
  std::vector<std::string> labels;
  for (const std::string& label : rule.settings.certificates)
    labels.push_back(label.empty() ? "default" : label);
  return labels.empty() ? "none" : joined(labels);
}

}  // namespace gaiter::cli
