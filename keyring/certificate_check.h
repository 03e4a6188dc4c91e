// Whether a certificate from elsewhere is one at all: what OpenSSL lets pass, and no
// peer should see.
#pragma once

#include <string>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// More than any peer takes (OpenSSL's own limit for a whole chain is 100 KiB).
inline constexpr int max_certificate_size = 64 << 10;

// Fails with Kind::invalid, and words about `name`: a size beyond that, a negative
// serial number or malformed dates (RFC 5280 4.1.2), an extension that cannot be
// decoded or is there twice, a public key of an unknown kind, a name with NUL, or a DNS
// name with any control character, which one program reads in another way than the next.
Result<void> check_certificate(X509* certificate, const std::string& name);

}  // namespace gaiter::keyring
