// What a keyring trusts, and chains verified with it.
#pragma once

#include <openssl/x509_vfy.h>

#include <vector>

#include "keyring/openssl.h"

namespace gaiter::keyring {

// Every certificate in `authorities` is an anchor, self-signed or not. Each of `sites` is
// trusted for itself alone, whatever it says of itself (CA:TRUE, too): what it signed is
// not trusted by that.
struct Trust {
  TrustStorePtr authorities;
  std::vector<CertificatePtr> sites;
};

// X509_verify_cert(3) of a context whose store is a Trust's `authorities`, with its
// `sites`: a chain may also be the certificate alone if that is one of them. Thread-safe,
// as long as nobody changes the trust.
int verify_chain(X509_STORE_CTX* verification, const std::vector<CertificatePtr>& sites);

}  // namespace gaiter::keyring
