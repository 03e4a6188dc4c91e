// From a policy's text to libconfig's tree of settings.
//
// libconfig parses; but its errors are two words, it leaks the text that it holds
// when it finds one, and some mistakes it takes in silence (text that runs into
// the next line, a number too large for an int, a NUL). So the text is checked
// beforehand, against the same grammar, with words for a person.
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

// The first mistake of grammar; nothing if there is none. What passes is safe to
// hand to libconfig: it includes no file and its nesting is bounded.
std::optional<SyntaxError> find_mistake(std::string_view text);

}  // namespace gaiter::policy
