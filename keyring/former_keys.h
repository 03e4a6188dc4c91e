// The keys that a CA had before its last rollovers. As long as their certificates are trusted
// they sign what must speak of these, and nothing else: revocation lists and OCSP responses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyring/files.h"
#include "keyring/keyring.h"

namespace gaiter::keyring {

// Where the key of a CA's certificate is kept when another has taken its place:
// "previous-key-0123456789ABCDEF.pem", by its fingerprint.
std::string former_key_file(const X509* certificate);
bool is_former_key_file(std::string_view name);

// Those of an entry; none if there is no such entry.
std::vector<std::string> former_key_files(const Directory& entry);

// The CA as it can sign lists: by the key in use, then by each former key whose certificate the
// entry still has and which is valid. Fails as Keyring::identity().
Result<std::vector<Identity>> list_signers(const Keyring& keyring, const std::string& label);

}  // namespace gaiter::keyring
