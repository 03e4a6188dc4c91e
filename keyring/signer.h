// The CAs of a keyring as signers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// The key and certificate of a CA of the keyring, and all CAs above it that the keyring
// knows, its root too: what they may not sign, it may not either.
Result<Identity> signer(const Keyring& keyring, const std::string& label);

// The CA of the keyring that signed `certificate` and can sign again, also by a newer key;
// nothing if it is self-signed. Kind::invalid names the issuer if it is another.
Result<std::optional<Identity>> find_signer(const Keyring& keyring, X509* certificate);

// `leaf` and those above it, without a root: who trusts a root has it.
std::vector<const X509*> shown_chain(const X509* leaf, const std::vector<CertificatePtr>& above);
std::vector<const X509*> shown_chain(const X509* leaf, const Identity& signer);

}  // namespace gaiter::keyring
