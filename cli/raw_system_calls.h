// Machine code that enters the kernel by itself, past libc and so past Gaiter.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace gaiter::cli {

// Names of the system calls on sockets, descriptors and readiness that `code` (of
// this machine) seems to make; "any" for one whose number comes in a register. A
// hint: data that looks like code deceives it, and so does code that is made later.
std::set<std::string> find_raw_system_calls(std::string_view code);

}  // namespace gaiter::cli
