// The ports that this process itself accepts protected connections on.
//
// A blocking connect() to one of them must not wait for a handshake: the thread
// that would have to accept may be the one that connects.
#pragma once

#include <sys/socket.h>

namespace gaiter::shim::listeners {

// After listen(2) on a protected port.
void add(const sockaddr* local);

// Whether a connection between these two ends leads to this very process.
bool is_own(const sockaddr* local, const sockaddr* remote);

// A child inherits its parent's listeners, but it is not alone with them.
void after_fork_in_child();

}  // namespace gaiter::shim::listeners
