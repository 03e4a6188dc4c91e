// Revocation lists of CAs whose keys are elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// Takes the lists in `bytes` (PEM, any number, or one of DER) into the `ca` entry `label`,
// each in the place of an older one by the same key. Kind::invalid, and nothing changes, if
// one of them is by none of the entry's CAs, is out of date, a delta list, or older than the
// one that is there, or if the CA's key is here: such a CA signs its own. `name` is what
// messages call the bytes. Returns what was taken in.
Result<std::vector<CrlPtr>> import_crls(const Keyring& keyring, const std::string& label,
                                        std::string_view bytes, const std::string& name);

}  // namespace gaiter::keyring
