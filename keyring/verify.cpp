#include "keyring/verify.h"

#include <openssl/x509v3.h>

#include "keyring/errors.h"
#include "keyring/extensions.h"
#include "keyring/words.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

using ContextPtr = std::unique_ptr<X509_STORE_CTX, OpenSslDeleter<X509_STORE_CTX_free>>;
void free_stack(STACK_OF(X509) * stack) { sk_X509_free(stack); }  // not the certificates
using StackPtr = std::unique_ptr<STACK_OF(X509), OpenSslDeleter<free_stack>>;

// 112 bits of security: what Debian and current browsers demand at least.
constexpr int security_level = 2;

std::unexpected<Error> out_of_memory() {
  return fail(Error::Kind::system, "cannot verify a certificate: " + take_openssl_reason());
}

std::string names_in_words(const X509* certificate) {
  std::string text;
  for (const std::string& name : alternative_name_texts(alternative_names(certificate).get())) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text.empty() ? "no name at all" : text;
}

// OpenSSL's reason for `error`, which concerns `certificate`, and what a person needs
// beside it.
std::string in_words(int error, const X509* certificate, const Expectation& expected) {
  const std::string whose = subject_text(certificate);
  const std::string issuer = name_text(X509_get_issuer_name(certificate));
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return whose + " expired on " + time_text(time_of(X509_get0_notAfter(certificate)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return whose + " is valid only from " + time_text(time_of(X509_get0_notBefore(certificate))) +
             " on; is the clock right?";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return whose + " is not for " + expected.name + "; it is for " + names_in_words(certificate);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return whose + " is self-signed, and not trusted";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "the root " + whose + " is not trusted";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "the issuer of " + whose + ", " + issuer + ", is neither in the chain nor trusted";
    case X509_V_ERR_INVALID_PURPOSE:
      return whose + " may not be used as a " +
             (expected.role == Expectation::Role::server ? "server" : "client") +
             " (extended key usage)";
    case X509_V_ERR_CERT_REVOKED:
      return whose + " was revoked by " + issuer;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
      return "no revocation list is by the key of " + issuer + " that signed " + whose +
             "; if that has a new one, renew the certificate";
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return "the revocation list of " + issuer + " is out of date";
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
      return "a CA above " + whose +
             " may not sign these names (name constraints): " + names_in_words(certificate);
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
      return "there are more CAs below " + whose + " than its path length allows";
    default:
      return std::string(X509_verify_cert_error_string(error)) + ": " + whose;
  }
}

bool set_expectation(X509_VERIFY_PARAM* parameters, const Expectation& expected) {
  if (expected.role != Expectation::Role::any) {
    const bool server = expected.role == Expectation::Role::server;
    X509_VERIFY_PARAM_set_purpose(parameters,
                                  server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
  }
  if (!expected.check_time) X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_NO_CHECK_TIME);
  if (expected.check_revocation) X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CRL_CHECK);
  X509_VERIFY_PARAM_set_auth_level(parameters, security_level);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_hostflags(
      parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (expected.name.empty()) return true;
  if (!address_bytes(expected.name).empty()) {
    return X509_VERIFY_PARAM_set1_ip_asc(parameters, expected.name.c_str()) == 1;
  }
  return X509_VERIFY_PARAM_set1_host(parameters, expected.name.data(), expected.name.size()) == 1;
}

bool push_all(STACK_OF(X509) * stack, const std::vector<const X509*>& certificates) {
  if (stack == nullptr) return false;
  for (const X509* certificate : certificates) {
    if (sk_X509_push(stack, const_cast<X509*>(certificate)) <= 0) return false;
  }
  return true;
}

CertificatePtr share(X509* certificate) {
  X509_up_ref(certificate);
  return CertificatePtr(certificate);
}

// CRLs of the keyring's trusted CAs, into `trust`; true if one is by the issuer of `leaf`.
Result<bool> add_crls(const Keyring& keyring, X509_STORE* trust, const X509* leaf) {
  auto crls = keyring.crls();
  if (!crls) return pass_on(crls);
  bool concerned = false;
  for (const CrlPtr& crl : *crls) {
    if (X509_STORE_add_crl(trust, crl.get()) != 1) return out_of_memory();
    concerned |= X509_NAME_cmp(X509_CRL_get_issuer(crl.get()), X509_get_issuer_name(leaf)) == 0;
  }
  return concerned;
}

}  // namespace

Result<std::vector<CertificatePtr>> verify(X509* certificate,
                                           const std::vector<const X509*>& others,
                                           const Trust& trust, const Expectation& expected) {
  const StackPtr untrusted(sk_X509_new_null());
  const ContextPtr context(X509_STORE_CTX_new_ex(library_context(), nullptr));
  if (context == nullptr || !push_all(untrusted.get(), others) ||
      X509_STORE_CTX_init(context.get(), trust.authorities.get(), certificate, untrusted.get()) !=
          1 ||
      !set_expectation(X509_STORE_CTX_get0_param(context.get()), expected)) {
    return out_of_memory();
  }
  const bool good = verify_chain(context.get(), trust.sites) == 1;
  take_openssl_reason();
  if (!good) {
    const X509* culprit = X509_STORE_CTX_get_current_cert(context.get());
    return fail(Error::Kind::invalid,
                in_words(X509_STORE_CTX_get_error(context.get()),
                         culprit != nullptr ? culprit : certificate, expected));
  }
  std::vector<CertificatePtr> chain;
  const STACK_OF(X509)* found = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(found); ++i) chain.push_back(share(sk_X509_value(found, i)));
  return chain;
}

Result<void> verify_below(X509* certificate, const Identity& signer) {
  const Trust trust{TrustStorePtr(X509_STORE_new()), {}};
  X509_STORE* const authorities = trust.authorities.get();
  const X509* top = signer.chain.empty() ? signer.leaf.get() : signer.chain.back().get();
  if (authorities == nullptr || X509_STORE_add_cert(authorities, const_cast<X509*>(top)) != 1) {
    return out_of_memory();
  }
  std::vector<const X509*> between{signer.leaf.get()};
  for (const CertificatePtr& link : signer.chain) between.push_back(link.get());
  auto chain = verify(certificate, between, trust, {.name = {}, .check_time = false});
  if (!chain) return pass_on(chain);
  return {};
}

Result<std::vector<CertificatePtr>> verify_entry(const Keyring& keyring, const std::string& label,
                                                 Expectation expected) {
  auto entry = keyring.entry(label);
  if (!entry) return pass_on(entry);
  auto trust = keyring.trust();
  if (!trust) return pass_on(trust);
  auto concerned = add_crls(keyring, trust->authorities.get(), entry->leaf.get());
  if (!concerned) return pass_on(concerned);
  expected.check_revocation = *concerned;
  std::vector<const X509*> others;
  for (const CertificatePtr& link : entry->chain) others.push_back(link.get());
  return verify(entry->leaf.get(), others, *trust, expected);
}

}  // namespace gaiter::keyring
