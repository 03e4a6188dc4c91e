// Saying what is wrong with a setting, and reading the plain kinds of value.
#pragma once

#include <libconfig.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"
#include "policy/vocabulary.h"

namespace gaiter::policy {

// The errors of one document, in the words that its author wrote.
class Report {
 public:
  Report(std::string file, std::vector<Error>& errors) : file_(std::move(file)), errors_(errors) {}

  void add(int line, std::string message) const;

  // "FILE:LINE: key: message".
  void key(const config_setting_t& setting, const std::string& message) const;

  // "FILE:LINE: key = value: message".
  void value(const config_setting_t& setting, const std::string& message) const;

  // "FILE:LINE: key: expected WANTED, not a boolean".
  void type(const config_setting_t& setting, const std::string& wanted) const;

 private:
  std::string file_;
  std::vector<Error>& errors_;
};

int line_of(const config_setting_t& setting);

// The members of a group, the elements of an array or list.
std::vector<const config_setting_t*> elements(const config_setting_t& setting);

// Text in quotes. Leaves `out` alone and returns false if it is not.
bool read_text(const config_setting_t& setting, std::string& out, const Report& report);

// A value that must be one of `words`. Leaves `out` alone and returns false if not.
template <class T>
bool read_word(const config_setting_t& setting, std::span<const Word<T>> words, T& out,
               const Report& report) {
  std::vector<std::string_view> texts;
  for (const Word<T>& word : words) texts.push_back(word.text);
  if (config_setting_type(&setting) != CONFIG_TYPE_STRING) {
    std::string wanted = "one of";
    for (std::string_view text : texts) wanted += (text == texts[0] ? " " : ", ") + quote(text);
    report.type(setting, wanted);
    return false;
  }
  const std::string_view written = config_setting_get_string(&setting);
  for (const Word<T>& word : words) {
    if (word.text != written) continue;
    out = word.value;
    return true;
  }
  report.value(setting, "unknown value; " + suggest_value(written, texts));
  return false;
}

}  // namespace gaiter::policy
