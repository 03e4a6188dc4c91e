// Labels: the names of entries, which are the names of their directories too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

inline constexpr size_t max_label_length = 64;

// Of the only entry of `system:`.
inline constexpr const char* system_label = "system";

// 1 to 64 letters, digits, `.`, `_`, `-`, `+` or `@`, the first neither `.` nor
// `-` (hidden files, command-line options); not "keyring.conf". Fails with
// Kind::invalid and the rule in words.
Result<void> check_label(std::string_view label);

// A label made of any text: what a label may not have becomes `-`. "" if nothing is left.
std::string make_label(std::string_view text);

// The (at most three) labels that `wrong` was most likely meant to be, best
// first, out of all that there are; empty if there are none.
std::vector<std::string> nearest_labels(std::string_view wrong, std::vector<std::string> labels);

}  // namespace gaiter::keyring
