// Patterns with wildcards, for the names in certificates.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gaiter::engine {

// Immutable; matching allocates nothing.
class Glob {
 public:
  enum class Letters { as_written, any_case };  // ASCII

  // Each "*" of `pattern` stands for any characters, or none, but never for `barrier`.
  Glob(std::string_view pattern, Letters letters, char barrier);

  // Lets a "*" at the very end stand for the barrier too.
  Glob& open_ended();

  bool matches(std::string_view text) const;

 private:
  bool same(char one, char other) const;
  bool begins(std::string_view text, std::string_view piece) const;
  bool may_skip(std::string_view text) const;

  std::vector<std::string> pieces_;  // between the stars
  Letters letters_;
  char barrier_;
  bool open_ended_ = false;
};

}  // namespace gaiter::engine
