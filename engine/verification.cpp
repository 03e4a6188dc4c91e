#include "engine/verification.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "engine/peer_name.h"

namespace gaiter::engine {
namespace {

// More names than this make the CertificateRequest longer than they help.
constexpr int max_ca_names = 64;

bool uses_chain(const ContextSettings& settings) {
  return verifies_peer(settings) &&
         (settings.role == Role::server || settings.verify != PeerCheck::pinned);
}

bool looks_at_crls(const ContextSettings& settings) {
  return settings.revocation == Revocation::hard ||
         (settings.revocation == Revocation::soft && !settings.crls.empty());
}

// The names of the CAs by which a client may choose its certificate.
void set_ca_names(SSL_CTX* context, const ContextSettings& settings) {
  const STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(settings.trust.get());
  const int sites = static_cast<int>(settings.sites.size());
  if (sk_X509_OBJECT_num(objects) + sites > max_ca_names) return;
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  const auto add = [names](const X509_NAME* name) {
    X509_NAME* const copy = X509_NAME_dup(name);
    if (copy != nullptr && sk_X509_NAME_push(names, copy) == 0) X509_NAME_free(copy);
  };
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    const X509* certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (certificate != nullptr) add(X509_get_subject_name(certificate));  // else a CRL
  }
  // A client's own certificate that is trusted as it is goes by its issuer.
  for (const CertificatePtr& site : settings.sites) add(X509_get_issuer_name(site.get()));
  SSL_CTX_set_client_CA_list(context, names);
}

Sha256 key_hash(const X509* certificate) {
  Sha256 hash{};
  uint8_t* key = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
  if (length <= 0 || EVP_Digest(key, static_cast<size_t>(length), hash.data(), nullptr,
                                EVP_sha256(), nullptr) != 1)
    hash = {};
  OPENSSL_free(key);
  return hash;
}

bool is_pinned(const std::vector<Sha256>& pins, const X509* certificate) {
  return std::ranges::find(pins, key_hash(certificate)) != pins.end();
}

}  // namespace

bool verifies_peer(const ContextSettings& settings) {
  return settings.role == Role::client ? settings.verify != PeerCheck::none
                                       : settings.client_auth != PeerCertificate::none;
}

std::optional<Failure> contradiction(const ContextSettings& settings) {
  const bool client = settings.role == Role::client;
  const auto is_local = [](const char* reason, const char* advice) {
    return Failure{Cause::local, reason, advice};
  };
  if (!client && settings.identities.empty())
    return is_local("a server needs a certificate and its key",
                    "create one with: gaiter keyring create");
  if (uses_chain(settings) && settings.trust == nullptr)
    return is_local("there is no trust to verify the peer with", "");
  if ((!settings.allow.empty() || !settings.deny.empty()) && !uses_chain(settings))
    return is_local("allow and deny go by a certificate that nobody verifies",
                    client ? "set verify to \"full\" or \"chain\" in the policy"
                           : "set client_auth to \"required\" or \"optional\" in the policy");
  if (settings.map_user && (client || !uses_chain(settings)))
    return is_local("map_user goes by a client's certificate, which is not asked for",
                    "set client_auth to \"required\" in the policy");
  if (client && settings.verify == PeerCheck::pinned && settings.pins.empty())
    return is_local("verify is \"pinned\", but there are no pins", "set pins in the policy");
  if (client && !settings.pins.empty() && settings.verify == PeerCheck::none)
    return is_local("there are pins, but verify is \"none\"",
                    "set verify to \"pinned\" in the policy");
  if (client && settings.must_staple && !uses_chain(settings))
    return is_local("must_staple needs a verified chain",
                    "set verify to \"full\" or \"chain\" in the policy");
  return std::nullopt;
}

bool complete_trust(const ContextSettings& settings) {
  if (settings.trust == nullptr) return true;
  // For OCSP responses too, which are verified with nothing but the store.
  X509_STORE_set_flags(settings.trust.get(), X509_V_FLAG_PARTIAL_CHAIN);
  return std::ranges::all_of(settings.crls, [&settings](const CrlPtr& crl) {
    return X509_STORE_add_crl(settings.trust.get(), crl.get()) == 1;
  });
}

void set_verification(SSL_CTX* context, const ContextSettings& settings) {
  if (!verifies_peer(settings)) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return;
  }
  const bool required =
      settings.role == Role::server && settings.client_auth == PeerCertificate::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  // A trusted intermediate ends a chain as well.
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST;
  if (looks_at_crls(settings)) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), flags);
  if (!uses_chain(settings)) return;
  SSL_CTX_set1_cert_store(context, settings.trust.get());
  if (settings.role == Role::server) set_ca_names(context, settings);
}

bool is_forgiven(const ContextSettings& settings, X509_STORE_CTX* verification) {
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(verification);
  const bool anchor = X509_STORE_CTX_get_error_depth(verification) == sk_X509_num(chain) - 1;
  switch (X509_STORE_CTX_get_error(verification)) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
      // What we trust as it is needs nobody's word.
      return settings.revocation == Revocation::soft || anchor;
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
      return settings.revocation == Revocation::soft;
    default:
      return false;
  }
}

std::optional<Failure> lacks_pin(const ContextSettings& settings, X509_STORE_CTX* verification) {
  if (settings.pins.empty()) return std::nullopt;
  const X509* const leaf = X509_STORE_CTX_get0_cert(verification);
  if (is_pinned(settings.pins, leaf)) return std::nullopt;
  // A chain that nobody verified proves nothing.
  const STACK_OF(X509)* const chain =
      settings.verify == PeerCheck::pinned ? nullptr : X509_STORE_CTX_get0_chain(verification);
  for (int i = 1; i < sk_X509_num(chain); ++i)
    if (is_pinned(settings.pins, sk_X509_value(chain, i))) return std::nullopt;
  return Failure{
      Cause::untrusted,
      "the server's certificate \"" + describe_peer(leaf) + "\" has a key that is none of the pins",
      "if its key was changed on purpose, add \"sha256:" + hex(key_hash(leaf)) +
          "\" to pins in the policy"};
}

}  // namespace gaiter::engine
