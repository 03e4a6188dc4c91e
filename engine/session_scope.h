// What a session is worth: a server resumes one only where everything that decided
// about its peer, and about itself, is still the same.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/context_settings.h"

namespace gaiter::engine {

// A digest of the rule's name, the authorisation, the trust, the CRLs, our own
// certificates and the protocol: equal in every process, and on every host, where
// these are equal. Goes into each ticket as its session ID context. Nothing if
// OpenSSL fails.
std::optional<Sha256> session_scope(const ContextSettings& settings);

}  // namespace gaiter::engine
