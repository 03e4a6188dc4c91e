// What a peer's certificates must be: trusted, not revoked, ours by pin.
#pragma once

#include <openssl/ssl.h>

#include <optional>

#include "engine/context_settings.h"
#include "engine/failure.h"

namespace gaiter::engine {

// Whether anything is asked of the peer's certificate.
bool verifies_peer(const ContextSettings& settings);

// Why these settings make no sense together; nothing if they do.
std::optional<Failure> contradiction(const ContextSettings& settings);

// Adds the CRLs to the trust. Once, before the contexts are made.
bool complete_trust(const ContextSettings& settings);

// Trust, CRLs, and the CAs that clients are told of.
void set_verification(SSL_CTX* context, const ContextSettings& settings);

// In OpenSSL's verify callback: whether an error that it found is none under these
// settings, such as a CRL that is missing and need not be there.
bool is_forgiven(const ContextSettings& settings, X509_STORE_CTX* verification);

// Client: why the server is refused if it does not have a key of `settings.pins`: its
// own, or, once the chain is verified, one above it.
std::optional<Failure> lacks_pin(const ContextSettings& settings, X509_STORE_CTX* verification);

}  // namespace gaiter::engine
