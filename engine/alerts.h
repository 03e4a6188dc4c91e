// Alerts (RFC 8446 6) in words.
#pragma once

#include <openssl/x509_vfy.h>

#include <cstdint>

#include "engine/record_state.h"

namespace gaiter::engine {

// The X509_V_ERR_* of a peer that is genuine but not let in: it is told access_denied
// (RFC 8446 6.2).
inline constexpr int not_authorised = X509_V_ERR_APPLICATION_VERIFICATION;

// "certificate_required", as the RFC spells it; "unknown alert" for a number
// that has no name. Static.
const char* alert_name(uint8_t alert);

// What to do when a peer sent it to an end of role `ours`; may be "". Static.
const char* alert_advice(uint8_t alert, Role ours);

}  // namespace gaiter::engine
