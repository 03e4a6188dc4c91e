// Certificates and keys from bytes and back: PEM (RFC 7468), or DER of one object.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

struct Bundle {
  std::vector<CertificatePtr> certificates;  // as they came
  KeyPtr key;                                // null if there was none
  std::vector<std::string> skipped;          // what it held beside, in words
};

// Reads every certificate, also those in PKCS#7 (RFC 2315), and at most one private key
// (PKCS#8, PKCS#1, SEC1), in any order. `name` names the bytes in error messages and to
// `ask`, which is called if the key is encrypted; if it is null, that is an error.
// Text around PEM blocks means nothing. Parameters, public keys and requests, which other
// programs keep in the same file, are skipped, as is what OpenSSL notes about trust in a
// TRUSTED CERTIFICATE, unless it is that the certificate is not to be trusted. Everything else
// is an error: to skip a CRL would be to trust what it revokes.
//
// Decoding the public keys is most of the work, and a listing has no use for them: with
// PublicKeys::leave X509_get0_pubkey() of the certificates is null.
enum class PublicKeys { decode, leave };
Result<Bundle> parse_bundle(std::string_view bytes, const std::string& name,
                            const AskPassphrase& ask = nullptr,
                            PublicKeys public_keys = PublicKeys::decode);

// Null if it is none. It must be all there is.
CertificatePtr certificate_from_der(std::span<const unsigned char> der,
                                    PublicKeys public_keys = PublicKeys::decode);

// Reads every CRL (RFC 5280 5) of PEM, or one of DER. No CRL at all is an error.
Result<std::vector<CrlPtr>> parse_crls(std::string_view bytes, const std::string& name);

// Whether the bytes are one DER object rather than text that happens to begin with its first byte.
bool is_der(std::string_view bytes);

// One PEM block after another.
Result<std::string> certificates_to_pem(const std::vector<const X509*>& certificates);

// PKCS#8, unencrypted. The BIO's memory is wiped when it is freed.
Result<BioPtr> key_to_pem(const EVP_PKEY* key);

}  // namespace gaiter::keyring
