#include "keyring/chain.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "keyring/public_key.h"

namespace gaiter::keyring {

namespace {

using KeyIdPtr = std::unique_ptr<AUTHORITY_KEYID, OpenSslDeleter<AUTHORITY_KEYID_free>>;

// Whether the authority key identifier (RFC 5280 4.2.1.1) allows for the issuer.
bool identifiers_fit(const X509* issuer, const X509* subject) {
  const KeyIdPtr wanted(static_cast<AUTHORITY_KEYID*>(
      X509_get_ext_d2i(subject, NID_authority_key_identifier, nullptr, nullptr)));
  if (wanted == nullptr) return true;
  // X509_check_akid() compares only what somebody has asked for before.
  X509_check_purpose(const_cast<X509*>(issuer), -1, 0);
  return X509_check_akid(issuer, wanted.get()) == X509_V_OK;
}

// Whether the issuer's key is of the kind that made the subject's signature.
bool algorithms_fit(const X509* issuer, const X509* subject) {
  ASN1_OBJECT* algorithm = nullptr;
  int signer = NID_undef;
  if (X509_PUBKEY_get0_param(&algorithm, nullptr, nullptr, nullptr, X509_get_X509_PUBKEY(issuer)) !=
          1 ||
      OBJ_find_sigid_algs(X509_get_signature_nid(subject), nullptr, &signer) != 1) {
    return false;
  }
  const int key = OBJ_obj2nid(algorithm);
  return key == signer || (key == EVP_PKEY_RSA && signer == EVP_PKEY_RSA_PSS);
}

// X509_check_issued(3), less the keyCertSign bit, of certificates whose keys need not
// have been decoded.
bool names_fit(const X509* issuer, const X509* subject) {
  return X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(subject)) == 0 &&
         identifiers_fit(issuer, subject) && algorithms_fit(issuer, subject);
}

}  // namespace

bool issued(const X509* issuer, const X509* subject) {
  // Only read, but for what OpenSSL remembers of extensions.
  return names_fit(issuer, subject) &&
         (X509_get_key_usage(const_cast<X509*>(issuer)) & KU_KEY_CERT_SIGN) != 0;
}

bool is_self_signed(const X509* certificate) { return names_fit(certificate, certificate); }

bool bring_leaf_forward(std::vector<CertificatePtr>& certificates, const EVP_PKEY* key) {
  const auto fits_key = [&](const CertificatePtr& candidate) {
    if (X509_get0_pubkey(candidate.get()) != nullptr)
      return X509_check_private_key(candidate.get(), key) == 1;
    return key_fingerprint(X509_get_X509_PUBKEY(candidate.get())) == key_fingerprint(key);
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
