// `gaiter policy diff`: what another policy would change.
#pragma once

#include <string>

namespace gaiter::cli {

// Rules are told apart by their names. Exit codes are those of diff(1): 0 the same,
// 1 different, 2 trouble.
int policy_diff(const std::string& before, const std::string& after, bool json);

}  // namespace gaiter::cli
