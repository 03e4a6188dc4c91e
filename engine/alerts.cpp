#include "engine/alerts.h"

#include <openssl/ssl.h>

// --wrap=ssl_x509err2alert gives OpenSSL's function the first name, and calls of it
// the second. Weak, since without that option there is no such thing.
extern "C" [[gnu::weak]] int __real_ssl_x509err2alert(int error);
extern "C" int __wrap_ssl_x509err2alert(int error);

int __wrap_ssl_x509err2alert(int error) {
  return error == gaiter::engine::not_authorised ? SSL_AD_ACCESS_DENIED
                                                 : __real_ssl_x509err2alert(error);
}

namespace gaiter::engine {

const char* alert_name(uint8_t alert) {
  switch (alert) {
    case SSL_AD_CLOSE_NOTIFY:
      return "close_notify";
    case SSL_AD_UNEXPECTED_MESSAGE:
      return "unexpected_message";
    case SSL_AD_BAD_RECORD_MAC:
      return "bad_record_mac";
    case SSL_AD_RECORD_OVERFLOW:
      return "record_overflow";
    case SSL_AD_HANDSHAKE_FAILURE:
      return "handshake_failure";
    case SSL_AD_BAD_CERTIFICATE:
      return "bad_certificate";
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
      return "unsupported_certificate";
    case SSL_AD_CERTIFICATE_REVOKED:
      return "certificate_revoked";
    case SSL_AD_CERTIFICATE_EXPIRED:
      return "certificate_expired";
    case SSL_AD_CERTIFICATE_UNKNOWN:
      return "certificate_unknown";
    case SSL_AD_ILLEGAL_PARAMETER:
      return "illegal_parameter";
    case SSL_AD_UNKNOWN_CA:
      return "unknown_ca";
    case SSL_AD_ACCESS_DENIED:
      return "access_denied";
    case SSL_AD_DECODE_ERROR:
      return "decode_error";
    case SSL_AD_DECRYPT_ERROR:
      return "decrypt_error";
    case SSL_AD_PROTOCOL_VERSION:
      return "protocol_version";
    case SSL_AD_INSUFFICIENT_SECURITY:
      return "insufficient_security";
    case SSL_AD_INTERNAL_ERROR:
      return "internal_error";
    case SSL_AD_INAPPROPRIATE_FALLBACK:
      return "inappropriate_fallback";
    case SSL_AD_USER_CANCELLED:
      return "user_canceled";
    case SSL_AD_NO_RENEGOTIATION:
      return "no_renegotiation";
    case SSL_AD_MISSING_EXTENSION:
      return "missing_extension";
    case SSL_AD_UNSUPPORTED_EXTENSION:
      return "unsupported_extension";
    case SSL_AD_UNRECOGNIZED_NAME:
      return "unrecognized_name";
    case SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE:
      return "bad_certificate_status_response";
    case SSL_AD_UNKNOWN_PSK_IDENTITY:
      return "unknown_psk_identity";
    case SSL_AD_CERTIFICATE_REQUIRED:
      return "certificate_required";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return "no_application_protocol";
    default:
      return "unknown alert";
  }
}

const char* alert_advice(uint8_t alert, Role ours) {
  const bool client = ours == Role::client;
  switch (alert) {
    case SSL_AD_CERTIFICATE_REQUIRED:
      return "the server asks for a client certificate: name one with certificate in the policy's "
             "outbound section";
    case SSL_AD_HANDSHAKE_FAILURE:
      return client ? "the server may ask for a client certificate (certificate in the policy's "
                      "outbound section), or have no suite in common with us"
                    : "the client may have no suite or signature scheme in common with us";
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
      return client ? "the server does not accept our certificate: it must trust the CA that "
                      "issued it"
                    : "the client does not accept our certificate: it must trust the CA that "
                      "issued it, and connect by a name that is in it";
    case SSL_AD_CERTIFICATE_EXPIRED:
      return "our certificate is outside its dates for the peer: renew it, and compare the clocks";
    case SSL_AD_CERTIFICATE_REVOKED:
      return "our certificate is revoked: use another";
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
      return "the peer cannot use our certificate: look at its key type and its key usage";
    case SSL_AD_ACCESS_DENIED:
      return "our certificate is valid, but not allowed at the peer";
    case SSL_AD_PROTOCOL_VERSION:
      return "the two ends have no TLS version in common: Gaiter speaks TLS 1.2 and 1.3 (see "
             "min_version)";
    case SSL_AD_INSUFFICIENT_SECURITY:
      return "the peer wants a stronger suite or key than we have in common";
    case SSL_AD_UNRECOGNIZED_NAME:
      return "the server does not know the name that we asked for: see server_name in the policy";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return "the peer insists on an application protocol (ALPN), which is not negotiated";
    default:
      return "";
  }
}

}  // namespace gaiter::engine
