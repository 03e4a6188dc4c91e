// A time in a certificate, a CRL or an OCSP response (RFC 5280 4.1.2.5), in seconds since 1970.
#pragma once

#include <openssl/asn1.h>

#include <ctime>
#include <optional>

namespace gaiter::engine {

// Nothing if there is none, or if it is malformed.
inline std::optional<std::time_t> moment(const ASN1_TIME* time) {
  std::tm parts = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return timegm(&parts);
}

}  // namespace gaiter::engine
