#include "engine/context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <sys/auxv.h>

#include <utility>

#include "engine/diagnosis.h"
#include "engine/fetch_cache.h"
#include "engine/fork_guard.h"
#include "engine/ssl_driver.h"

namespace gaiter::engine {
namespace {

// AES-GCM is the fastest where AES instructions are, ChaCha20 where not.
constexpr char suites13_aes_first[] =
    "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
constexpr char suites13_chacha_first[] =
    "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
constexpr char suites12_aes_first[] =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char suites12_chacha_first[] =
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";

constexpr char groups[] = "X25519:P-256:P-384";
constexpr char groups_post_quantum[] = "X25519MLKEM768:X25519:P-256:P-384";

constexpr char signature_algorithms[] =
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:ed448:"
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
    "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
    "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";

constexpr long session_lifetime = 7200;  // seconds

// More names than this make the CertificateRequest longer than they help.
constexpr int max_ca_names = 64;

bool cpu_has_aes() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return true;
#endif
}

bool set_suites(SSL_CTX* context) {
  const bool aes = cpu_has_aes();
  return SSL_CTX_set_ciphersuites(context, aes ? suites13_aes_first : suites13_chacha_first) == 1 &&
         SSL_CTX_set_cipher_list(context, aes ? suites12_aes_first : suites12_chacha_first) == 1;
}

bool set_groups(SSL_CTX* context) {
  if (SSL_CTX_set1_groups_list(context, groups_post_quantum) == 1) return true;
  ERR_clear_error();  // OpenSSL before 3.5
  return SSL_CTX_set1_groups_list(context, groups) == 1;
}

// Everything by name: a default may come from a configuration file, or change.
bool set_protocol(SSL_CTX* context, const ContextSettings& settings) {
  SSL_CTX_clear_options(context, SSL_CTX_get_options(context));
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
  // A client without AES instructions puts ChaCha20 first: do it that favour.
  if (settings.role == Role::server)
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // No chain is looked for at each handshake: the keyring gives it whole.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(context, 0);
  SSL_CTX_set_quiet_shutdown(context, 1);
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_timeout(context, session_lifetime);
  // The record layer's sequence numbers begin at 0: tickets are issued later.
  return SSL_CTX_set_num_tickets(context, 0) == 1 &&
         SSL_CTX_set_min_proto_version(context, static_cast<int>(settings.min_version)) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 && set_suites(context) &&
         set_groups(context) && SSL_CTX_set1_sigalgs_list(context, signature_algorithms) == 1;
}

bool set_sessions(SSL_CTX* context, const ContextSettings& settings) {
  if (settings.role == Role::client) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    return true;
  }
  // A server keeps nothing: the ticket holds the session.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  recheck_tickets(context, settings.client_auth == PeerCertificate::required);
  uint8_t scope[EVP_MAX_MD_SIZE];
  size_t length = 0;
  return EVP_Q_digest(library_context(), "SHA256", nullptr, settings.session_scope.data(),
                      settings.session_scope.size(), scope, &length) == 1 &&
         SSL_CTX_set_session_id_context(context, scope, static_cast<unsigned>(length)) == 1;
}

bool verifies_peer(const ContextSettings& settings) {
  return settings.role == Role::client ? settings.verify != PeerCheck::none
                                       : settings.client_auth != PeerCertificate::none;
}

// The names of the CAs by which a client may choose its certificate.
void set_ca_names(SSL_CTX* context, X509_STORE* trust) {
  const STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(trust);
  if (sk_X509_OBJECT_num(objects) > max_ca_names) return;
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    X509* certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (certificate == nullptr) continue;  // a CRL
    // A client's own certificate that is trusted as it is goes by its issuer.
    X509_NAME* name =
        X509_NAME_dup(X509_check_ca(certificate) != 0 ? X509_get_subject_name(certificate)
                                                      : X509_get_issuer_name(certificate));
    if (name != nullptr && sk_X509_NAME_push(names, name) == 0) X509_NAME_free(name);
  }
  SSL_CTX_set_client_CA_list(context, names);
}

bool set_verification(SSL_CTX* context, const ContextSettings& settings) {
  if (!verifies_peer(settings)) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return true;
  }
  const bool required =
      settings.role == Role::server && settings.client_auth == PeerCertificate::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  // A trusted `site` certificate, or an intermediate, ends a chain as well.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
                              X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  SSL_CTX_set1_cert_store(context, settings.trust.get());
  if (settings.role == Role::server) set_ca_names(context, settings.trust.get());
  return true;
}

bool set_identity(SSL_CTX* context, const keyring::Identity& identity) {
  STACK_OF(X509)* chain = sk_X509_new_null();
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

std::expected<std::shared_ptr<const Context>, Failure> Context::make(ContextSettings settings) {
  const bool server = settings.role == Role::server;
  if (server && !settings.identity)
    return std::unexpected(Failure{Cause::local, "a server needs a certificate and its key",
                                   "create one with: gaiter keyring create"});
  if (verifies_peer(settings) && settings.trust == nullptr)
    return std::unexpected(Failure{Cause::local, "there is no trust to verify the peer with", ""});

  const OpenSslStep step;
  ERR_clear_error();
  remember_fetches();
  std::shared_ptr<Context> context(new Context);
  context->settings_ = std::move(settings);
  const ContextSettings& kept = context->settings_;
  context->ssl_context_ = SSL_CTX_new_ex(library_context(), nullptr,
                                         server ? TLS_server_method() : TLS_client_method());
  SSL_CTX* const made = context->ssl_context_;
  if (made == nullptr || !set_protocol(made, kept) || !set_sessions(made, kept) ||
      !set_verification(made, kept))
    return std::unexpected(diagnose_local("OpenSSL could not be set up", ""));
  if (kept.identity && !set_identity(made, *kept.identity))
    return std::unexpected(diagnose_local(
        "the certificate \"" + kept.identity->label + "\" cannot be used",
        "it needs the key that it was issued for, RSA of 2048 bits or more, or ECDSA, and no SHA-1 "
        "signature"));
  SslDriver::install_callbacks(made);
  return context;
}

Context::~Context() {
  const OpenSslStep step;
  SSL_CTX_free(ssl_context_);
}

}  // namespace gaiter::engine
