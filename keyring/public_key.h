// What kind of key a certificate or request is for, as its SubjectPublicKeyInfo (RFC 5280
// 4.1.2.7) says: read from the encoding, without the cost of decoding the key.
#pragma once

#include <openssl/x509.h>

#include <string>

namespace gaiter::keyring {

struct PublicKeyKind {
  int algorithm = NID_undef;  // EVP_PKEY_RSA, EVP_PKEY_RSA_PSS, EVP_PKEY_EC, EVP_PKEY_ED25519, ...
  int bits = 0;               // RSA: of the modulus; EC: of a coordinate, in whole bytes; else 0
  std::string text;           // "EC P-256", "RSA 2048", "Ed25519"; "unknown" if it is malformed
};

PublicKeyKind public_key_kind(const X509_PUBKEY* key);

// SHA-256 of the SubjectPublicKeyInfo, hexadecimal: the same for a key, its requests and
// its certificates.
std::string key_fingerprint(const X509_PUBKEY* key);
std::string key_fingerprint(const EVP_PKEY* key);

}  // namespace gaiter::keyring
