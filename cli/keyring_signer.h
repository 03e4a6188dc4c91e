// The CA of a keyring that signs when nobody names one.
#pragma once

#include <string>

#include "keyring/keyring.h"

namespace gaiter::cli {

// The label of the only CA with a key. Kind::invalid if there are several,
// Kind::not_found if there is none.
keyring::Result<std::string> find_ca(const keyring::Keyring& keyring);

// The same, but one is made, and said to be, if there is none.
keyring::Result<std::string> find_or_make_ca(const keyring::Keyring& keyring);

}  // namespace gaiter::cli
