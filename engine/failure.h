// Why a handshake failed, as a value. shim/refusal turns the cause into an errno,
// in one place.
#pragma once

#include <string>

namespace gaiter::engine {

enum class Cause {
  untrusted,       // no chain to a trusted CA
  wrong_name,      // the certificate is for somebody else
  ambiguous_name,  // several names may be meant, and the certificate is not for all of them
  not_allowed,     // any other refusal of the peer's certificate
  expired,         // or not yet valid
  revoked,
  no_certificate,  // the peer sent none where one is required
  not_tls,         // the first bytes are no TLS record
  protocol,        // TLS, but not as it must be, or nothing in common
  peer_refused,    // the peer sent a fatal alert
  peer_closed,     // FIN or RST in mid-handshake
  deadline,
  local,  // our own side: keyring, memory
};

struct Failure {
  Cause cause;
  std::string reason;  // in words, for the log: what happened and OpenSSL's reason
  std::string advice;  // what to do about it; may be empty
};

}  // namespace gaiter::engine
