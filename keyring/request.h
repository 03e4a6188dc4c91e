// Certificate signing requests (PKCS#10, RFC 2986): made, read, and signed by a CA.
#pragma once

#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/extensions.h"
#include "keyring/keyring.h"

namespace gaiter::keyring {

using RequestPtr = std::unique_ptr<X509_REQ, OpenSslDeleter<X509_REQ_free>>;

// Signed by `key`, for `subject` and `names`, which may be null. With `purpose` the
// extended key usage is asked for too.
Result<RequestPtr> make_request(const X509_NAME* subject, const GENERAL_NAMES* names, EVP_PKEY* key,
                                KeyPurpose purpose = KeyPurpose::both);

// PEM, perhaps after other text, or DER. Kind::invalid if it is malformed, its
// signature is not by its key, the key is weak, or a name in it could not stand in a
// certificate; `name` names the bytes in messages.
Result<RequestPtr> parse_request(std::string_view bytes, const std::string& name);

Result<std::string> to_pem(const X509_REQ* request);

// All subject alternative names that it asks for; null if none.
NamesPtr alternative_names(const X509_REQ* request);

// Whether it demands that servers staple an OCSP response (RFC 7633).
bool must_staple(const X509_REQ* request);

// "redis.internal" if the request has that as its only common name.
std::string common_name(const X509_NAME* subject);

// Answers a request: its subject, all its names and its key; what it is for is `purpose`,
// or what it asks for. A request without names gets its common name as one if that is a
// DNS name. Kind::invalid if it asks to be a CA or for a use that Gaiter does not sign, the CA
// may not sign it, or a part of it cannot be shown to whoever signs.
Result<CertificatePtr> sign_request(X509_REQ* request, const Identity& ca,
                                    std::chrono::days lifetime, std::optional<KeyPurpose> purpose);

}  // namespace gaiter::keyring
