// What can be said of a policy's rules without its keyring.
#pragma once

#include "cli/finding.h"

namespace gaiter::cli {

// Rules that can never match, ports that this host protects and calls in clear,
// exceptions whose day has come, groups that this OpenSSL does not have, files of
// ticket keys and user maps that cannot be used, keys that should have been rotated, and
// what profile = "fips" does not promise.
Findings check_rules(const policy::Policy& policy);

}  // namespace gaiter::cli
