// Shell patterns as a policy uses them for programs and systemd units.
#pragma once

#include <string_view>

namespace gaiter::policy {

// Whether the whole of `text` fits: `*` stands for any characters but "/", `**`
// for any characters, `?` for one but "/"; all others stand for themselves. Time
// grows with the product of the lengths; async-signal-safe (unlike fnmatch(3),
// which asks the locale).
bool glob_matches(std::string_view pattern, std::string_view text);

// The part of a path behind its last "/".
std::string_view last_part(std::string_view path);

// A rule's `program`: a pattern without "/" is about the last part of the path.
bool program_matches(std::string_view pattern, std::string_view path);

}  // namespace gaiter::policy
