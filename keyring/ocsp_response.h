// OCSP responses (RFC 6960) to staple (RFC 6066 8): made by a CA of the keyring, or taken
// in from elsewhere. One is kept as the entry's `ocsp.der`.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// What a response says of the entry's certificate.
struct OcspFacts {
  std::string status;  // "good", "revoked", "unknown"
  std::chrono::sys_seconds this_update;
  std::chrono::sys_seconds next_update;  // the epoch if it does not say
};

inline constexpr std::chrono::days usual_ocsp_life{7};

// The CA of the keyring that signed the entry's certificate says what it has revoked, or
// not; the response is good for so long, and kept.
Result<OcspFacts> make_ocsp_response(const Keyring& keyring, const std::string& label,
                                     std::chrono::days lifetime);

// Keeps a response (DER) that was fetched elsewhere. Kind::invalid if it is malformed, not
// about the entry's certificate, not signed for its issuer, or out of date.
Result<OcspFacts> import_ocsp_response(const Keyring& keyring, const std::string& label,
                                       std::string_view der, const std::string& name);

}  // namespace gaiter::keyring
