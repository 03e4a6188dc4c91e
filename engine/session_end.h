// Until when a session may be resumed: no longer than all holds that its full handshake
// verified. The moment is worked out once, at the full handshake, and carried in the
// session (in a server's tickets and in a client's cache) and in every session that
// comes from resuming it: nothing extends it.
#pragma once

#include <openssl/ssl.h>

#include <ctime>
#include <optional>

#include "engine/context_settings.h"

namespace gaiter::engine {

// Of a full handshake at `now`, once the peer is verified: the earliest of `now` and the
// lifetime of sessions, the end of each certificate of the verified chain, and the next
// update of each CRL that could speak of them and is not out of date already. `staple`:
// how long the OCSP response that the server stapled is good.
std::time_t end_of_session(const SSL* ssl, const ContextSettings& settings,
                           std::optional<std::time_t> staple, std::time_t now);

// Writes it into the session, whose timeout is shortened accordingly. False without memory:
// the session is never resumed then.
bool set_session_end(SSL_SESSION* session, std::time_t end);

// What set_session_end() wrote, here or in the server that the ticket is from; nothing if
// nobody did.
std::optional<std::time_t> session_end(const SSL_SESSION* session);

// Whether the session may be resumed at `now`.
bool is_in_time(const SSL_SESSION* session, std::time_t now);

}  // namespace gaiter::engine
