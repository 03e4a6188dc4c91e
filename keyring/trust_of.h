// Trust in some entries of a keyring alone.
#pragma once

#include <string>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// As Keyring::trust(), of the entries with these labels alone, each of which must be there
// (Kind::not_found) and vouch for somebody (Kind::invalid). Without labels of all.
Result<Trust> trust_of(const Keyring& keyring, const std::vector<std::string>& labels);

}  // namespace gaiter::keyring
