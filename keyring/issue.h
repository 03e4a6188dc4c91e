// Making keys and certificates (RFC 5280). Nothing is stored here.
#pragma once

#include "keyring/keyring.h"
#include "keyring/store.h"

namespace gaiter::keyring {

// A new EC P-256 key.
Result<KeyPtr> make_key();

// A certificate for `key` as `request` says, signed by `signer`, or by `key` itself
// if `signer` is null. It never outlives its signer. Fails with Kind::invalid if
// the request or the signer cannot be used, saying why.
Result<CertificatePtr> issue(const NewCertificate& request, EVP_PKEY* key, const Identity* signer);

// Whether a certificate can stand for the name: letters, digits, `-`, `_` and
// dots, perhaps with `*` as the whole first label.
bool is_dns_name(std::string_view name);

inline constexpr size_t max_common_name = 64;  // RFC 5280 appendix A, ub-common-name

}  // namespace gaiter::keyring
