// The extensions of the certificates that Gaiter makes (RFC 5280 4.2), as values that
// are made once and put into a certificate or a request.
#pragma once

#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

#include "keyring/key_type.h"
#include "keyring/subject_names.h"

namespace gaiter::keyring {

using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpenSslDeleter<X509_EXTENSION_free>>;
using Extensions = std::vector<ExtensionPtr>;

// What a certificate may be used for (extended key usage, 4.2.1.12).
enum class KeyPurpose { both, server, client };

// Whether CAs may stand below a CA: so many; any_path_length for as many as one likes.
inline constexpr int any_path_length = -1;

struct CaLimits {
  int path_length = 0;
  std::vector<std::string> permitted;  // as name_constraints() has them
  std::vector<std::string> excluded;
};

// Basic constraints, key usage, extended key usage, alternative names. `key` is the
// certificate's. Names are critical if the subject is empty (4.2.1.6).
Result<Extensions> leaf_extensions(KeyPurpose purpose, const GENERAL_NAMES* names,
                                   const EVP_PKEY* key, bool names_are_critical = false);
Result<Extensions> ca_extensions(const CaLimits& limits, const GENERAL_NAMES* names);

// Those of `certificate` that a certificate in its place needs too: all but its key
// identifiers, which depend on keys.
Result<Extensions> extensions_to_keep(const X509* certificate);

// The value of an extension that is there once; null if it is missing, twice or malformed.
NamesPtr alternative_names(const X509* certificate);

}  // namespace gaiter::keyring
