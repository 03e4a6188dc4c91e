// LD_PRELOAD with Gaiter in the first place: of two libraries that have a function, the first one
// is called (ld.so(8)). Before it may be the runtimes of sanitizers, which must be first, and call
// the next one.
//
// Allocates nothing: for use between vfork and exec.
#pragma once

#include <cstddef>
#include <string_view>

namespace gaiter::shim::preload_order {

// Whether a file of that name is a sanitizer's runtime.
bool is_sanitizer(std::string_view file);

// The entry of `value` that is Gaiter; "" if it has none.
std::string_view own_entry(std::string_view value);

// Whether Gaiter is in `value`, and in its place.
bool is_right(std::string_view value);

// `value` in the right order, with `own` where it has no entry of Gaiter's; the others stay as
// they are. Writes at most room_for(value, own) bytes, the closing NUL among them; returns where
// that is.
size_t room_for(std::string_view value, std::string_view own);
char* write(std::string_view value, std::string_view own, char* out);

}  // namespace gaiter::shim::preload_order
