// Saying what is wrong with a setting, in the words that its author wrote.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/node.h"
#include "policy/policy.h"

namespace gaiter::policy {

class Report {
 public:
  // `files` are the names that Node::file counts.
  Report(const std::vector<std::string>& files, std::vector<Error>& errors)
      : files_(files), errors_(errors) {}

  // An error is kept once, however often it is found. Line 0 is the whole file.
  void add(int file, int line, std::string message) const;

  // "FILE:LINE: key: message".
  void key(const Node& node, const std::string& message) const;

  // "FILE:LINE: key = value: message".
  void value(const Node& node, const std::string& message) const;

  // "FILE:LINE: key: expected WANTED, not a boolean".
  void type(const Node& node, const std::string& wanted) const;

  // "FILE:LINE: key: unknown key; did you mean KEY?"
  void unknown_key(const Node& node, const std::vector<std::string_view>& valid) const;

 private:
  const std::vector<std::string>& files_;
  std::vector<Error>& errors_;
};

}  // namespace gaiter::policy
