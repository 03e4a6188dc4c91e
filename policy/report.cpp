#include "policy/report.h"

namespace gaiter::policy {
namespace {

std::string type_name(const config_setting_t& setting) {
  switch (config_setting_type(&setting)) {
    case CONFIG_TYPE_GROUP:
      return "a group { }";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
      return "an integer";
    case CONFIG_TYPE_FLOAT:
      return "a number with a fraction";
    case CONFIG_TYPE_STRING:
      return "text";
    case CONFIG_TYPE_BOOL:
      return "true or false";
    case CONFIG_TYPE_ARRAY:
      return "an array [ ]";
    case CONFIG_TYPE_LIST:
      return "a list ( )";
  }
  return "nothing";
}

std::string show_value(const config_setting_t& setting) {
  switch (config_setting_type(&setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
      return std::to_string(config_setting_get_int64(&setting));
    case CONFIG_TYPE_FLOAT:
      return shortest(config_setting_get_float(&setting));
    case CONFIG_TYPE_STRING:
      return quote(config_setting_get_string(&setting));
  }
  return type_name(setting);
}

// An element of a list speaks for the key that the list belongs to.
std::string name_of(const config_setting_t& setting) {
  const config_setting_t* named = &setting;
  while (named && !named->name) named = named->parent;
  return named ? plain(named->name) : "";
}

}  // namespace

void Report::add(int line, std::string message) const {
  errors_.push_back({file_, line, std::move(message)});
}

void Report::key(const config_setting_t& setting, const std::string& message) const {
  add(line_of(setting), name_of(setting) + ": " + message);
}

void Report::value(const config_setting_t& setting, const std::string& message) const {
  add(line_of(setting), name_of(setting) + " = " + show_value(setting) + ": " + message);
}

void Report::type(const config_setting_t& setting, const std::string& wanted) const {
  key(setting, "expected " + wanted + ", not " + type_name(setting));
}

int line_of(const config_setting_t& setting) {
  return static_cast<int>(config_setting_source_line(&setting));
}

std::vector<const config_setting_t*> elements(const config_setting_t& setting) {
  std::vector<const config_setting_t*> list;
  const int count = config_setting_length(&setting);
  for (int i = 0; i < count; i++)
    list.push_back(config_setting_get_elem(&setting, static_cast<unsigned>(i)));
  return list;
}

bool read_text(const config_setting_t& setting, std::string& out, const Report& report) {
  if (config_setting_type(&setting) != CONFIG_TYPE_STRING) {
    report.type(setting, "text in quotes");
    return false;
  }
  out = config_setting_get_string(&setting);
  return true;
}

}  // namespace gaiter::policy
