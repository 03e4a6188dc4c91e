#include "engine/session_scope.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

namespace gaiter::engine {
namespace {

using DigestPtr = std::unique_ptr<EVP_MD_CTX, OpenSslDeleter<EVP_MD_CTX_free>>;

// Every part is preceded by its length, so that no two sequences of parts are one.
class Scope {
 public:
  Scope() : digest_(EVP_MD_CTX_new()) {
    fine_ = digest_ != nullptr && EVP_DigestInit_ex2(digest_.get(), EVP_sha256(), nullptr) == 1;
  }

  void add(uint64_t number) {
    fine_ = fine_ && EVP_DigestUpdate(digest_.get(), &number, sizeof number) == 1;
  }

  void add(std::string_view bytes) {
    add(bytes.size());
    fine_ = fine_ && EVP_DigestUpdate(digest_.get(), bytes.data(), bytes.size()) == 1;
  }

  void add(const Sha256& hash) {
    add(std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
  }

  void add(const std::vector<std::string>& list) {
    add(list.size());
    for (const std::string& one : list) add(one);
  }

  void add(const std::vector<PeerPattern>& patterns) {
    add(patterns.size());
    for (const PeerPattern& pattern : patterns) {
      add(static_cast<uint64_t>(pattern.kind));
      add(pattern.text);
      add(pattern.attributes.size());
      for (const PeerPattern::Attribute& attribute : pattern.attributes) {
        add(attribute.type);
        add(attribute.value);
      }
    }
  }

  void add(const std::vector<keyring::Identity>& identities) {
    add(identities.size());
    for (const keyring::Identity& identity : identities) add(hash_of(identity.leaf.get()));
  }

  // Order says nothing here, and differs from one reading of a keyring to the next.
  void add_sorted(std::vector<Sha256> hashes) {
    std::ranges::sort(hashes);
    add(hashes.size());
    for (const Sha256& hash : hashes) add(hash);
  }

  Sha256 hash_of(const X509* certificate) {
    Sha256 hash{};
    fine_ = fine_ && X509_digest(certificate, EVP_sha256(), hash.data(), nullptr) == 1;
    return hash;
  }

  Sha256 hash_of(const X509_CRL* crl) {
    Sha256 hash{};
    fine_ = fine_ && X509_CRL_digest(crl, EVP_sha256(), hash.data(), nullptr) == 1;
    return hash;
  }

  std::optional<Sha256> finish() {
    Sha256 hash{};
    if (!fine_ || EVP_DigestFinal_ex(digest_.get(), hash.data(), nullptr) != 1) return {};
    return hash;
  }

 private:
  DigestPtr digest_;
  bool fine_;
};

void add_trust(Scope& scope, const X509_STORE* trust) {
  std::vector<Sha256> anchors;
  const STACK_OF(X509_OBJECT)* const objects =
      trust == nullptr ? nullptr : X509_STORE_get0_objects(trust);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    const X509_OBJECT* const object = sk_X509_OBJECT_value(objects, i);
    if (const X509* const certificate = X509_OBJECT_get0_X509(object); certificate != nullptr)
      anchors.push_back(scope.hash_of(certificate));
  }
  scope.add_sorted(std::move(anchors));
}

}  // namespace

std::optional<Sha256> session_scope(const ContextSettings& settings) {
  Scope scope;
  scope.add(settings.session_scope);
  scope.add(static_cast<uint64_t>(settings.client_auth));
  scope.add(settings.allow);
  scope.add(settings.deny);
  scope.add(static_cast<uint64_t>(settings.map_user));
  scope.add(settings.user_map.size());
  for (const UserFilter& filter : settings.user_map) {
    scope.add(filter.patterns);
    scope.add(filter.user);
  }
  add_trust(scope, settings.trust.get());
  std::vector<Sha256> sites;
  for (const CertificatePtr& site : settings.sites) sites.push_back(scope.hash_of(site.get()));
  scope.add_sorted(std::move(sites));
  scope.add(static_cast<uint64_t>(settings.revocation));
  std::vector<Sha256> crls;
  for (const CrlPtr& crl : settings.crls) crls.push_back(scope.hash_of(crl.get()));
  scope.add_sorted(std::move(crls));
  scope.add(settings.identities);
  for (const NamedIdentities& named : settings.sni) {
    scope.add(named.pattern);
    scope.add(named.identities);
  }
  scope.add(static_cast<uint64_t>(settings.refuse_unknown_names));
  scope.add(static_cast<uint64_t>(settings.profile));
  scope.add(static_cast<uint64_t>(settings.min_version));
  scope.add(static_cast<uint64_t>(settings.max_version));
  scope.add(settings.suites);
  scope.add(settings.signatures);
  scope.add(settings.alpn);
  return scope.finish();
}

}  // namespace gaiter::engine
