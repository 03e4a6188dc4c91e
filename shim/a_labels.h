// Names beyond ASCII, as certificates and SNI have them: A-labels (RFC 5890 2.3.2.1).
//
// A program that has its names looked up with AI_IDN leaves it to libc, which asks libidn2;
// what that made of the name is asked of the same library (looked_up()), so nothing that
// decides about Unicode is here twice. Only names in UTF-8 that a program gave to a look-up as
// they are, which take no mapping then, are encoded here (RFC 3492).
#pragma once

#include <string_view>

namespace gaiter::shim {

// RFC 1035 2.3.4, as text; and the 0 at its end.
inline constexpr size_t longest_name = 253;
using NameText = char[longest_name + 1];

bool is_ascii(std::string_view name);

// The length of what `name` is as A-labels; 0 if it is no UTF-8 or too long. Labels in ASCII
// stay as they are. Never allocates.
size_t to_a_labels(std::string_view name, NameText& out);

// What libc looked up for `name`, in the locale's encoding, with AI_IDN. False if that
// cannot be known.
bool looked_up(const char* name, NameText& out);

}  // namespace gaiter::shim
