#include "engine/diagnosis.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "engine/alerts.h"
#include "engine/peer_name.h"
#include "engine/protocol.h"
#include "keyring/openssl.h"

namespace gaiter::engine {
namespace {

Cause cause_of(int verify_error) {
  switch (verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
      return Cause::expired;
    case X509_V_ERR_CERT_REVOKED:
      return Cause::revoked;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Cause::wrong_name;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_CERT_UNTRUSTED:
      return Cause::untrusted;
    default:
      return Cause::not_allowed;
  }
}

std::string date(const ASN1_TIME* time) {
  tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  char text[32];
  const size_t length = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return std::string(text, length);
}

// "the server's certificate", "the CA certificate "CN=..." in the client's chain"
std::string which(int depth, const X509* certificate, Role ours) {
  const std::string peer = ours == Role::client ? "server" : "client";
  const std::string subject = certificate == nullptr ? "" : describe_subject(certificate);
  const std::string quoted = subject.empty() ? "" : " \"" + subject + "\"";
  return depth <= 0 ? "the " + peer + "'s certificate" + quoted
                    : "certificate" + quoted + " in the " + peer + "'s chain";
}

// Why a name does not fit is not in OpenSSL's words: the names themselves are.
Failure wrong_name(int error, const X509* certificate, const std::string& wanted) {
  const std::string names = certificate == nullptr ? "" : describe_names(certificate);
  return {Cause::wrong_name,
          "the server's certificate is for " +
              (names.empty() ? "no DNS name or address at all" : names) + ", not for \"" + wanted +
              "\" (" + X509_verify_cert_error_string(error) + ")",
          "set server_name in the policy to a name of the certificate, or have a certificate "
          "issued for \"" +
              wanted + "\""};
}

std::string advice_for(Cause cause, int error, Role ours) {
  const std::string peer = ours == Role::client ? "server" : "client";
  switch (cause) {
    case Cause::untrusted:
      return "import the CA that issued the " + peer +
             "'s certificate into the keyring, or the certificate itself as a trusted site";
    case Cause::expired:
      return error == X509_V_ERR_CERT_NOT_YET_VALID ? "compare the clocks of the two machines"
                                                    : "renew the " + peer + "'s certificate";
    case Cause::revoked:
      return "replace the " + peer + "'s certificate: its issuer withdrew it";
    default:
      if (error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_CRL_HAS_EXPIRED ||
          error == X509_V_ERR_CRL_NOT_YET_VALID || error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER)
        return "put a current CRL of its issuer into the keyring, or set revocation to \"soft\" in "
               "the policy";
      return "have a certificate issued that suits a TLS " + peer;
  }
}

struct Remedy {
  Cause cause;
  std::string advice;
};

Remedy remedy_for(unsigned long code, const ContextSettings& settings) {
  const bool client = settings.role == Role::client;
  if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) return {Cause::local, "free some memory"};
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return {Cause::protocol, ""};
  switch (ERR_GET_REASON(code)) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      return {Cause::protocol,
              oldest_version(settings) == Version::tls13
                  ? "the policy asks for TLS 1.3 (profile, min_version), which the peer does not "
                    "speak"
                  : "the peer must speak TLS 1.2 or 1.3 (see min_version and max_version)"};
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return {Cause::protocol, "the client offers none of the protocols of alpn in the policy"};
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
      return {Cause::protocol,
              client ? "the server must offer ECDHE with AES-GCM or ChaCha20-Poly1305"
                     : "the client must offer ECDHE with AES-GCM or ChaCha20-Poly1305, and accept "
                       "the key type of our certificate"};
    case SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED:
      return {Cause::protocol, "the server's TLS is too old: it lacks RFC 5746"};
    default:
      return {Cause::protocol, ""};
  }
}

}  // namespace

Failure diagnose_certificate(int error, int depth, const X509* certificate, Role ours,
                             const std::string& wanted) {
  const Cause cause = cause_of(error);
  if (cause == Cause::wrong_name) return wrong_name(error, certificate, wanted);
  std::string reason = which(depth, certificate, ours) + " was refused: ";
  reason += X509_verify_cert_error_string(error);
  if (certificate != nullptr && error == X509_V_ERR_CERT_HAS_EXPIRED)
    reason += " (on " + date(X509_get0_notAfter(certificate)) + ")";
  if (certificate != nullptr && error == X509_V_ERR_CERT_NOT_YET_VALID)
    reason += " (before " + date(X509_get0_notBefore(certificate)) + ")";
  return {cause, std::move(reason), advice_for(cause, error, ours)};
}

Failure diagnose_alert(uint8_t alert, Role ours) {
  return {Cause::peer_refused,
          std::string("the ") + (ours == Role::client ? "server" : "client") +
              " refused the connection with alert " + alert_name(alert) + " (" +
              std::to_string(alert) + ")",
          alert_advice(alert, ours)};
}

Failure no_certificate(const std::string& more) {
  return {Cause::no_certificate, "the client showed no certificate" + more,
          "give the client a certificate (certificate in its policy's outbound section), or set "
          "client_auth to \"optional\" here"};
}

Failure diagnose_handshake(const ContextSettings& settings) {
  const unsigned long code = ERR_peek_error();
  const std::string openssl = take_openssl_reason();
  // OpenSSL's code for "the peer sent alert n" is this offset plus n.
  const int alert = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && alert >= 0 && alert <= 255)
    return diagnose_alert(static_cast<uint8_t>(alert), settings.role);
  if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
      ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return no_certificate(" (" + openssl + ")");
  Remedy remedy = remedy_for(code, settings);
  return {remedy.cause,
          "the TLS handshake failed: " + (openssl.empty() ? "no reason given" : openssl),
          std::move(remedy.advice)};
}

Failure diagnose_local(const std::string& what, std::string advice) {
  const std::string openssl = take_openssl_reason();
  return {Cause::local, openssl.empty() ? what : what + ": " + openssl, std::move(advice)};
}

}  // namespace gaiter::engine
