// Versions, suites, groups, signatures and application protocols of a context: the
// policy's own, or its profile's.
#pragma once

#include <openssl/ssl.h>

#include <expected>

#include "engine/context_settings.h"
#include "engine/failure.h"

namespace gaiter::engine {

// The oldest version that both the profile and the settings let pass.
Version oldest_version(const ContextSettings& settings);

// `settings` must outlive `context`. Fails (Cause::local) if this OpenSSL does not
// have what they ask for, or nothing is left of it.
std::expected<void, Failure> set_protocol(SSL_CTX* context, const ContextSettings& settings);

}  // namespace gaiter::engine
