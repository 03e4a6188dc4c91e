#include "engine/identities.h"

#include <algorithm>
#include <map>

#include "engine/diagnosis.h"

namespace gaiter::engine {
namespace {

// DNS names are compared without regard to case (RFC 4343), nor to the final dot.
std::string normal(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
  });
  return lower;
}

bool use(SSL_CTX* context, const keyring::Identity& identity) {
  STACK_OF(X509)* const chain = sk_X509_new_null();
  if (chain == nullptr) return false;
  bool complete = true;
  for (const CertificatePtr& certificate : identity.chain)
    complete = sk_X509_push(chain, certificate.get()) > 0 && complete;
  const bool used = complete && SSL_CTX_use_cert_and_key(context, identity.leaf.get(),
                                                         identity.key.get(), chain, 1) == 1;
  sk_X509_free(chain);
  return used;
}

}  // namespace

std::expected<void, Failure> set_identities(SSL_CTX* context,
                                            const std::vector<keyring::Identity>& identities) {
  std::map<int, const std::string*> kinds;
  for (const keyring::Identity& identity : identities) {
    const auto [known, fresh] =
        kinds.emplace(EVP_PKEY_get_base_id(identity.key.get()), &identity.label);
    if (!fresh)
      return std::unexpected(
          Failure{Cause::local,
                  "the certificates \"" + *known->second + "\" and \"" + identity.label +
                      "\" have the same kind of key, so a peer cannot choose between them",
                  "name one of each kind in certificate, such as one of RSA and one of ECDSA"});
    if (!use(context, identity))
      return std::unexpected(
          diagnose_local("the certificate \"" + identity.label + "\" cannot be used",
                         "it needs the key that it was issued for, RSA of 2048 bits or more, or "
                         "ECDSA, and no SHA-1 signature"));
  }
  return {};
}

ServerNames::~ServerNames() {
  for (const auto& [name, context] : contexts_) SSL_CTX_free(context);
}

void ServerNames::add(std::string_view pattern, SSL_CTX* context) {
  if (!contexts_.emplace(normal(pattern), context).second) SSL_CTX_free(context);
}

SSL_CTX* ServerNames::find(std::string_view name) const {
  std::string wanted = normal(name);
  auto found = contexts_.find(wanted);
  // What a client asks for is a name, not a pattern.
  if (found != contexts_.end() && !wanted.starts_with('*')) return found->second;
  const size_t dot = wanted.find('.');
  if (dot == std::string::npos || dot == 0) return nullptr;
  found = contexts_.find(wanted.replace(0, dot, "*"));
  return found == contexts_.end() ? nullptr : found->second;
}

}  // namespace gaiter::engine
