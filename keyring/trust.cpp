#include "keyring/trust.h"

#include <algorithm>

namespace gaiter::keyring {
namespace {

struct StackDeleter {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using StackPtr = std::unique_ptr<STACK_OF(X509), StackDeleter>;

// The authorities and `site`, as anchors of one verification. The store itself is shared
// with verifications in which the site is not the leaf, and must not hold it.
StackPtr anchors_with(X509_STORE_CTX* verification, X509* site) {
  StackPtr anchors(X509_STORE_get1_all_certs(X509_STORE_CTX_get0_store(verification)));
  if (anchors == nullptr) anchors.reset(sk_X509_new_null());
  if (anchors == nullptr || X509_up_ref(site) != 1) return nullptr;
  if (sk_X509_push(anchors.get(), site) <= 0) {
    X509_free(site);
    return nullptr;
  }
  return anchors;
}

}  // namespace

int verify_chain(X509_STORE_CTX* verification, const std::vector<CertificatePtr>& sites) {
  const X509* const leaf = X509_STORE_CTX_get0_cert(verification);
  const auto site = std::ranges::find_if(
      sites, [&](const CertificatePtr& one) { return X509_cmp(one.get(), leaf) == 0; });
  if (leaf == nullptr || site == sites.end()) return X509_verify_cert(verification);
  const StackPtr anchors = anchors_with(verification, site->get());
  if (anchors == nullptr) {
    X509_STORE_CTX_set_error(verification, X509_V_ERR_OUT_OF_MEM);
    return 0;
  }
  X509_STORE_CTX_set0_trusted_stack(verification, anchors.get());
  const int result = X509_verify_cert(verification);
  X509_STORE_CTX_set0_trusted_stack(verification, nullptr);  // it ends with this call
  return result;
}

}  // namespace gaiter::keyring
