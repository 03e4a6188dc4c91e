// Which of several trusted CAs of one name has signed a certificate.
//
// OpenSSL takes one of that name, by key identifiers and dates, and a CA that was given a new key
// and has no key identifiers is then refused for its signature. Here it is the signature that
// tells.
#pragma once

#include <openssl/x509_vfy.h>

namespace gaiter::keyring {

// For a store, before it is used. Costs a certificate with several candidates a verification more
// for each; others nothing.
void choose_issuers_by_signature(X509_STORE* store);

}  // namespace gaiter::keyring
