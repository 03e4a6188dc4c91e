#include "keyring/issuer_choice.h"

#include <openssl/err.h>

#include <memory>

#include "keyring/openssl.h"

namespace gaiter::keyring {
namespace {

void free_stack(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
using StackPtr = std::unique_ptr<STACK_OF(X509), OpenSslDeleter<free_stack>>;

bool is_valid_now(const X509* certificate) {
  return X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
         X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

bool has_signed(X509_STORE_CTX* context, X509* candidate, X509* certificate) {
  EVP_PKEY* const key = X509_get0_pubkey(candidate);
  return key != nullptr &&
         X509_STORE_CTX_get_check_issued(context)(context, certificate, candidate) != 0 &&
         X509_verify(certificate, key) == 1;
}

// X509_STORE_CTX_get_issuer_fn: 1 = found, with a reference; 0 = not.
int issuer_that_signed(X509** issuer, X509_STORE_CTX* context, X509* certificate) {
  const StackPtr all(X509_STORE_CTX_get1_certs(context, X509_get_issuer_name(certificate)));
  if (sk_X509_num(all.get()) < 2) return X509_STORE_CTX_get1_issuer(issuer, context, certificate);
  ERR_set_mark();
  X509* found = nullptr;
  for (int i = 0; i < sk_X509_num(all.get()); ++i) {
    X509* const candidate = sk_X509_value(all.get(), i);
    if (found != nullptr && !is_valid_now(candidate)) continue;
    if (!has_signed(context, candidate, certificate)) continue;
    found = candidate;
    if (is_valid_now(candidate)) break;
  }
  ERR_pop_to_mark();
  // None: what is wrong with the one that OpenSSL would take is for it to say.
  if (found == nullptr) return X509_STORE_CTX_get1_issuer(issuer, context, certificate);
  X509_up_ref(found);
  *issuer = found;
  return 1;
}

}  // namespace

void choose_issuers_by_signature(X509_STORE* store) {
  X509_STORE_set_get_issuer(store, issuer_that_signed);
}

}  // namespace gaiter::keyring
