// A policy's text as a tree: what was written, and where.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gaiter::policy {

struct Node {
  enum class Type : uint8_t { group, array, list, text, integer, fraction, boolean };

  Type type = Type::group;
  int file = 0;  // index into Policy::files()
  int line = 0;
  std::string name;  // the setting's; an element of an array or list has its list's
  std::string text;  // of Type::text, escapes undone
  int64_t integer = 0;
  double fraction = 0;
  bool boolean = false;
  std::vector<Node> children;  // of group, array and list

  bool is_group() const { return type == Type::group; }
  bool is_text() const { return type == Type::text; }
  bool is_sequence() const { return type == Type::array || type == Type::list; }

  // The setting of a group, or nullptr.
  const Node* find(std::string_view key) const {
    for (const Node& child : children)
      if (child.name == key) return &child;
    return nullptr;
  }
};

}  // namespace gaiter::policy
