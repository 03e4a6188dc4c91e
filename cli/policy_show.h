// `gaiter policy show`: the rules as they are tried.
#pragma once

#include <string>

namespace gaiter::cli {

// `path`: a policy file or directory, "" = where a process would look.
int policy_show(const std::string& path, bool json);

}  // namespace gaiter::cli
