// From a policy's text to libconfig's tree of settings.
//
// libconfig parses; but its errors are two words, and some mistakes it takes in
// silence (a string that runs into the next line, a number too large for an
// int, a NUL). Those are found here beforehand, with words for a person.
#pragma once

#include <libconfig.h>

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gaiter::policy {

struct SyntaxError {
  int line;
  std::string message;
};

struct TreeDeleter {
  void operator()(config_t* tree) const;
};
using Tree = std::unique_ptr<config_t, TreeDeleter>;

// Thread-safe; touches neither files nor stdio.
std::expected<Tree, SyntaxError> parse(const std::string& text);

// The first mistake that shows without knowing any key; nothing if there is none
// of those that this looks for. Whatever passes is safe to hand to libconfig: it
// includes no file and its nesting is bounded.
std::optional<SyntaxError> find_mistake(std::string_view text);

}  // namespace gaiter::policy
