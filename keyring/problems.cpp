// What a peer will not like about an identity.
#include <openssl/x509v3.h>

#include "keyring/keyring.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

// Why the dates are wrong, or "".
std::string wrong_dates(const X509* certificate) {
  const ASN1_TIME* const first = X509_get0_notBefore(certificate);
  const ASN1_TIME* const last = X509_get0_notAfter(certificate);
  if (X509_cmp_current_time(first) > 0) {
    return "is not valid before " + time_text(first) + ": peers refuse it until then";
  }
  if (X509_cmp_current_time(last) < 0) {
    return "expired on " + time_text(last) + ": peers refuse it";
  }
  return {};
}

bool has_alternative_name(const X509* certificate) {
  return X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0;
}

}  // namespace

std::vector<Problem> problems_of(const Identity& identity, Purpose purpose) {
  std::vector<Problem> problems = identity.problems;
  const auto add = [&](std::string message) {
    problems.push_back({identity.label, identity.file, std::move(message)});
  };
  X509* const leaf = identity.leaf.get();
  if (std::string why = wrong_dates(leaf); !why.empty()) add(std::move(why));
  for (const CertificatePtr& above : identity.chain) {
    const std::string why = wrong_dates(above.get());
    if (!why.empty())
      add("in its chain, the certificate of " + subject_text(above.get()) + " " + why);
  }
  const bool server = purpose == Purpose::server;
  // UINT32_MAX: there is no such extension, and so no restriction.
  const uint32_t allowed = server ? XKU_SSL_SERVER | XKU_ANYEKU : XKU_SSL_CLIENT | XKU_ANYEKU;
  if ((X509_get_extended_key_usage(leaf) & allowed) == 0) {
    add(server ? "is not for servers (extendedKeyUsage lacks serverAuth): clients refuse it"
               : "is not for clients (extendedKeyUsage lacks clientAuth): servers refuse it");
  }
  if ((X509_get_key_usage(leaf) & X509v3_KU_DIGITAL_SIGNATURE) == 0) {
    add("is not for signatures (keyUsage lacks digitalSignature), which TLS needs");
  }
  if (server && !has_alternative_name(leaf)) {
    add("names no host (it has no subjectAltName): clients refuse it");
  }
  return problems;
}

}  // namespace gaiter::keyring
