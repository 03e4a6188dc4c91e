// Whether a server goes on with a session that a client's ticket holds.
#pragma once

#include <openssl/ssl.h>

#include "engine/context.h"

namespace gaiter::engine {

// Asked for each ticket that one of our keys opens and whose scope is the context's
// (engine/session_scope), so for what time alone can have changed, and once more for
// all that decides: false leads to a full handshake.
bool may_resume(const Context& context, SSL_SESSION* session);

}  // namespace gaiter::engine
