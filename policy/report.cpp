#include "policy/report.h"

#include <algorithm>

#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

std::string type_name(const Node& node) {
  switch (node.type) {
    case Node::Type::group:
      return "a group { }";
    case Node::Type::integer:
      return "an integer";
    case Node::Type::fraction:
      return "a number with a fraction";
    case Node::Type::text:
      return "text";
    case Node::Type::boolean:
      return "true or false";
    case Node::Type::array:
      return "an array [ ]";
    case Node::Type::list:
      return "a list ( )";
  }
  return "nothing";
}

std::string show_value(const Node& node) {
  switch (node.type) {
    case Node::Type::integer:
      return std::to_string(node.integer);
    case Node::Type::fraction:
      return shortest(node.fraction);
    case Node::Type::text:
      return quote(node.text);
    default:
      return type_name(node);
  }
}

}  // namespace

void Report::add(int file, int line, std::string message) const {
  Error error{files_[static_cast<size_t>(file)], line, std::move(message)};
  const auto same = [&](const Error& other) {
    return other.line == error.line && other.file == error.file && other.message == error.message;
  };
  if (std::ranges::none_of(errors_, same)) errors_.push_back(std::move(error));
}

void Report::key(const Node& node, const std::string& message) const {
  add(node.file, node.line, plain(node.name) + ": " + message);
}

void Report::value(const Node& node, const std::string& message) const {
  add(node.file, node.line, plain(node.name) + " = " + show_value(node) + ": " + message);
}

void Report::type(const Node& node, const std::string& wanted) const {
  key(node, "expected " + wanted + ", not " + type_name(node));
}

void Report::unknown_key(const Node& node, const std::vector<std::string_view>& valid) const {
  key(node, "unknown key; " + suggest_key(node.name, valid));
}

}  // namespace gaiter::policy
