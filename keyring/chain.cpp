#include "keyring/chain.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace gaiter::keyring {

bool issued(const X509* issuer, const X509* subject) {
  // Both are only read, but for what OpenSSL remembers of extensions.
  return X509_check_issued(const_cast<X509*>(issuer), const_cast<X509*>(subject)) == X509_V_OK;
}

bool is_self_signed(const X509* certificate) {
  return (X509_get_extension_flags(const_cast<X509*>(certificate)) & EXFLAG_SS) != 0;
}

bool bring_leaf_forward(std::vector<CertificatePtr>& certificates, const EVP_PKEY* key) {
  const auto fits_key = [&](const CertificatePtr& candidate) {
    return X509_check_private_key(candidate.get(), key) == 1;
  };
  const auto issued_none = [&](const CertificatePtr& candidate) {
    return std::ranges::none_of(certificates, [&](const CertificatePtr& other) {
      return X509_cmp(other.get(), candidate.get()) != 0 && issued(candidate.get(), other.get());
    });
  };
  const auto is_end = [&](const CertificatePtr& candidate) {
    return X509_check_ca(candidate.get()) == 0 && issued_none(candidate);
  };
  auto leaf = key != nullptr ? std::ranges::find_if(certificates, fits_key)
                             : std::ranges::find_if(certificates, is_end);
  if (key == nullptr && leaf == certificates.end()) {
    leaf = std::ranges::find_if(certificates, issued_none);
    if (leaf == certificates.end()) leaf = certificates.begin();  // CAs that signed each other
  }
  ERR_clear_error();
  if (leaf == certificates.end()) return false;
  std::rotate(certificates.begin(), leaf, leaf + 1);
  return true;
}

void sort_chain(std::vector<CertificatePtr>& certificates) {
  std::vector<CertificatePtr> rest = std::move(certificates);
  certificates.clear();
  for (auto next = rest.begin(); next != rest.end();) {
    certificates.push_back(std::move(*next));
    rest.erase(next);
    const CertificatePtr& last = certificates.back();
    next = is_self_signed(last.get())
               ? rest.end()
               : std::ranges::find_if(rest, [&](const CertificatePtr& candidate) {
                   return X509_cmp(candidate.get(), last.get()) != 0 &&
                          issued(candidate.get(), last.get());
                 });
  }
}

}  // namespace gaiter::keyring
