// Where libgaiter.so is.
#pragma once

#include <expected>
#include <string>

#include "cli/preloadable.h"

namespace gaiter::cli {

// libgaiter.so beside this very program (a build tree), or where it is installed:
// under the program's own prefix, or the one that was built for. Its core is
// beside it (shim/core.h). Both can be loaded: they are for this machine, and may be executed
// where they lie.
std::expected<std::string, Refusal> find_library();

}  // namespace gaiter::cli
