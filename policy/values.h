// The plain kinds of value, read from a node. Each leaves `out` alone, reports
// what is wrong and returns false if the node is not what it should be.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/node.h"
#include "policy/report.h"
#include "policy/vocabulary.h"

namespace gaiter::policy {

inline constexpr size_t max_elements = 100;  // of a list; more are a range, or more rules

// Text in quotes.
bool read_text(const Node& node, std::string& out, const Report& report);

bool read_boolean(const Node& node, bool& out, const Report& report);

// `what` as in "expected WHAT, from 0 to 100".
bool read_integer(const Node& node, std::string_view what, int64_t least, int64_t most,
                  int64_t& out, const Report& report);

// Seconds, with or without a fraction.
bool read_seconds(const Node& node, std::chrono::milliseconds least, std::chrono::milliseconds most,
                  std::chrono::milliseconds& out, const Report& report);

// An absolute path; "" is allowed if `may_be_empty`.
bool read_path(const Node& node, bool may_be_empty, std::string_view example, std::string& out,
               const Report& report);

// The node itself, or the elements of an array or list: 1 to max_elements. Empty
// after a report; `when_empty` says what an empty list would mean.
std::vector<const Node*> one_or_more(const Node& node, const std::string& when_empty,
                                     const Report& report);

// A value that must be one of `words`.
template <class T>
bool read_word(const Node& node, std::span<const Word<T>> words, T& out, const Report& report) {
  std::vector<std::string_view> texts;
  for (const Word<T>& word : words) texts.push_back(word.text);
  if (!node.is_text()) {
    std::string wanted = "one of";
    for (std::string_view text : texts) wanted += (text == texts[0] ? " " : ", ") + quote(text);
    report.type(node, wanted);
    return false;
  }
  for (const Word<T>& word : words) {
    if (word.text != node.text) continue;
    out = word.value;
    return true;
  }
  report.value(node, "unknown value; " + suggest_value(node.text, texts));
  return false;
}

}  // namespace gaiter::policy
