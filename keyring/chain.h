// Bringing certificates into the order that TLS sends them (RFC 8446 4.4.2): the
// leaf, its issuer, the issuer's issuer.
#pragma once

#include <vector>

#include "keyring/openssl.h"

namespace gaiter::keyring {

bool is_self_signed(const X509* certificate);

// By names, key identifiers and usage bits; the signature is not looked at.
bool issued(const X509* issuer, const X509* subject);

// Moves the leaf to the front: the certificate that fits `key`. Without a key, the
// first that issued none of the others, preferably no CA. False if there
// is none.
bool bring_leaf_forward(std::vector<CertificatePtr>& certificates, const EVP_PKEY* key);

// Sorts the certificates after the first by issuance; drops those that do not
// belong to its chain, and doubles.
void sort_chain(std::vector<CertificatePtr>& certificates);

}  // namespace gaiter::keyring
