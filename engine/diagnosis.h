// From what OpenSSL says to a Failure: the cause, the reason in words, and what
// to do about it.
#pragma once

#include <openssl/x509.h>

#include <optional>
#include <string>

#include "engine/context.h"
#include "engine/failure.h"

namespace gaiter::engine {

// An X509_V_ERR_* that OpenSSL found while it verified the peer's chain.
// `certificate` is the one concerned (may be null), `depth` its place, 0 for the
// peer's own. `ours` is our role, `wanted` the name that it should have had.
Failure diagnose_certificate(int error, int depth, const X509* certificate, Role ours,
                             const std::string& wanted);

// A fatal alert that the peer sent.
Failure diagnose_alert(uint8_t alert, Role ours);

// A client that showed none where one is required; `more` is put behind the reason.
Failure no_certificate(const std::string& more = "");

// This thread's OpenSSL error queue after a handshake that failed; empties it.
Failure diagnose_handshake(const ContextSettings& settings);

// An error of our own: `what` in words, then OpenSSL's reason from the queue.
Failure diagnose_local(const std::string& what, std::string advice);

}  // namespace gaiter::engine
