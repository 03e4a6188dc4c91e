// Making certificates (RFC 5280). Nothing is stored here.
#pragma once

#include "keyring/extensions.h"
#include "keyring/key_type.h"
#include "keyring/keyring.h"
#include "keyring/store.h"

namespace gaiter::keyring {

using SubjectPtr = std::unique_ptr<X509_NAME, OpenSslDeleter<X509_NAME_free>>;

// What a certificate says beside its key, serial number and identifiers; borrowed.
struct Statement {
  const X509_NAME* subject;
  const Extensions& extensions;
  std::chrono::seconds lifetime;
};

// A certificate for `key` that says `statement`, signed by `signer`, or by `key`
// itself if `signer` is null. It never outlives its signer. Kind::invalid if the
// signer cannot be used, or a peer would not accept what it signed (its path length,
// name constraints, dates), saying why.
Result<CertificatePtr> issue(const Statement& statement, EVP_PKEY* key, const Identity* signer);

// The same as `request` says; its label, key type and signer's label do not count.
Result<CertificatePtr> issue(const NewCertificate& request, EVP_PKEY* key, const Identity* signer);

// A subject of nothing but a common name, 1 to 64 bytes; RFC 5280 appendix A,
// ub-common-name.
inline constexpr size_t max_common_name = 64;
Result<SubjectPtr> make_subject(const std::string& common_name);

// Kind::invalid unless 1 to 36500 days.
Result<void> check_lifetime(std::chrono::days lifetime);

// From notBefore to notAfter, without what issue() adds for clocks that lag.
std::chrono::seconds lifetime_of(const X509* certificate);

}  // namespace gaiter::keyring
