#include "keyring/signer.h"

#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

// Longer chains are loops.
constexpr size_t longest_chain = 16;

bool has_issued(const Entry& ca, X509* certificate) {
  if (issued(ca.leaf.get(), certificate)) return true;
  for (const CertificatePtr& former : ca.chain) {
    if (issued(former.get(), certificate)) return true;
  }
  return false;
}

// The certificate in the `ca` entries that issued `certificate`; null if none did.
X509* issuer_among(const std::vector<Entry>& entries, const X509* certificate) {
  for (const Entry& entry : entries) {
    if (entry.usage != Usage::ca) continue;
    if (issued(entry.leaf.get(), certificate)) return entry.leaf.get();
    for (const CertificatePtr& other : entry.chain) {
      if (issued(other.get(), certificate)) return other.get();
    }
  }
  return nullptr;
}

}  // namespace

Result<Identity> signer(const Keyring& keyring, const std::string& label) {
  auto ca = keyring.identity(label);
  if (!ca) return ca;
  auto entries = keyring.entries();
  if (!entries) return pass_on(entries);
  while (ca->chain.size() < longest_chain) {
    const X509* const top = ca->chain.empty() ? ca->leaf.get() : ca->chain.back().get();
    X509* const above = is_self_signed(top) ? nullptr : issuer_among(*entries, top);
    if (above == nullptr) break;
    X509_up_ref(above);
    ca->chain.emplace_back(above);
  }
  return ca;
}

Result<std::optional<Identity>> find_signer(const Keyring& keyring, X509* certificate) {
  if (is_self_signed(certificate)) return std::optional<Identity>();
  auto entries = keyring.entries();
  if (!entries) return pass_on(entries);
  for (const Entry& entry : *entries) {
    if (entry.usage != Usage::ca || !entry.has_key || !has_issued(entry, certificate)) continue;
    auto found = signer(keyring, entry.label);
    if (!found) return pass_on(found);
    return std::optional(*std::move(found));
  }
  take_openssl_reason();
  return fail(Error::Kind::invalid,
              subject_text(certificate) + " was signed by " +
                  name_text(X509_get_issuer_name(certificate)) +
                  ", whose key is not in this keyring: make a request for it with `gaiter keyring "
                  "request`, and take in the answer with `gaiter keyring receive`");
}

std::vector<const X509*> shown_chain(const X509* leaf, const std::vector<CertificatePtr>& above) {
  std::vector<const X509*> chain{leaf};
  for (const CertificatePtr& link : above) {
    if (!is_self_signed(link.get()) && X509_cmp(link.get(), leaf) != 0) chain.push_back(link.get());
  }
  return chain;
}

std::vector<const X509*> shown_chain(const X509* leaf, const Identity& signer) {
  std::vector<const X509*> chain = shown_chain(leaf, signer.chain);
  if (!is_self_signed(signer.leaf.get())) chain.insert(chain.begin() + 1, signer.leaf.get());
  return chain;
}

}  // namespace gaiter::keyring
