// From a policy's text to its tree.
//
// The syntax is libconfig's, read by a parser of our own: it says file and line
// through @include, takes names in quotes as keys where they are data, bounds
// everything, uses neither stdio nor the locale, and has words for each mistake.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "policy/node.h"

namespace gaiter::policy {

struct SyntaxError {
  int file;
  int line;
  std::string message;
};

// The text of a file that another includes.
struct Included {
  int file;  // its index
  std::string text;
};

// Reads the file that `path` names in the file `from`; the error is why not.
using Includer =
    std::function<std::expected<Included, std::string>(int from, const std::string& path)>;

inline constexpr int max_include_depth = 8;

// The settings of a text, as a group without a name, or the first mistake.
// Thread-safe.
std::expected<Node, SyntaxError> parse(std::string_view text, int file, const Includer& include);

}  // namespace gaiter::policy
