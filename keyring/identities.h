// The identities of many entries.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// visit(label, identity) for each, with what Keyring::identity() would notice; but the CAs from
// which chains are completed are read once, and not for each, and the identities are good for
// looking at alone (Depth::fit). Fails if there is no keyring.
Result<void> for_each_identity(
    const Keyring& keyring, const std::vector<std::string>& labels,
    const std::function<void(const std::string&, const Result<Identity>&)>& visit);

}  // namespace gaiter::keyring
