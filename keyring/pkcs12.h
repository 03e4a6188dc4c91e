// PKCS#12 files (RFC 7292): what Java, Windows, browsers and NSS keep keys in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyring/files.h"
#include "keyring/keyring.h"

namespace gaiter::keyring {

// One key with the certificates of its chain, leaf first; or, without a key, one
// certificate.
struct Pkcs12Item {
  std::string name;  // friendlyName as the file has it; "" = none
  KeyPtr key;
  std::vector<CertificatePtr> certificates;
};

// Everything in `der`. A passphrase is asked for only if the file is not readable without
// one. Kind::invalid: malformed, another passphrase, a cipher that this Gaiter has not.
Result<std::vector<Pkcs12Item>> parse_pkcs12(std::string_view der, const std::string& name,
                                             const AskPassphrase& ask);

bool is_pkcs12(std::string_view der);

// A file with the key (may be null) and the certificates, leaf first, all encrypted under
// `passphrase` by AES-256 with PBKDF2.
Result<Content> make_pkcs12(const EVP_PKEY* key, const std::vector<const X509*>& certificates,
                            const std::string& friendly_name, std::string_view passphrase);

}  // namespace gaiter::keyring
