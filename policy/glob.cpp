#include "policy/glob.h"

namespace gaiter::policy {
namespace {

// Where to go on after a mismatch: the last star takes one character more.
struct Retry {
  size_t pattern = std::string_view::npos;  // behind the star; npos = there is none
  size_t text = 0;
};

}  // namespace

// A `*` that has met "/" can take no more, but a `**` before it still can.
bool glob_matches(std::string_view pattern, std::string_view text) {
  Retry star, two_stars;
  size_t p = 0, t = 0;
  while (true) {
    if (p < pattern.size() && pattern[p] == '*') {
      const bool two = pattern.substr(p).starts_with("**");
      while (p < pattern.size() && pattern[p] == '*') p++;
      (two ? two_stars : star) = {p, t};
      if (two) star = {};
      continue;
    }
    const bool fits = p < pattern.size() && t < text.size() &&
                      (pattern[p] == '?' ? text[t] != '/' : pattern[p] == text[t]);
    if (fits) {
      p++;
      t++;
    } else if (p == pattern.size() && t == text.size()) {
      return true;
    } else if (star.pattern != std::string_view::npos && star.text < text.size() &&
               text[star.text] != '/') {
      p = star.pattern;
      t = ++star.text;
    } else if (two_stars.pattern != std::string_view::npos && two_stars.text < text.size()) {
      p = two_stars.pattern;
      t = ++two_stars.text;
      star = {};
    } else {
      return false;
    }
  }
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool program_matches(std::string_view pattern, std::string_view path) {
  const bool whole = pattern.find('/') != std::string_view::npos;
  return glob_matches(pattern, whole ? path : last_part(path));
}

}  // namespace gaiter::policy
