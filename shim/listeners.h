// The addresses that this process itself listens on, protected now or perhaps later:
// the policy may change.
//
// A blocking connect() to one of them must not wait for a handshake: the thread
// that would have to accept may be the one that connects.
#pragma once

#include <sys/socket.h>

#include <cstddef>

namespace gaiter::shim::listeners {

// After listen(2). Those beyond max_known are not visited by for_each().
inline constexpr size_t max_known = 64;
void add(const sockaddr* local);

// Whether a connection between these two ends leads to this very process.
bool is_own(const sockaddr* local, const sockaddr* remote);

// Calls visit(address) for each, also for those that a parent listened on.
template <class Visit>
void for_each(Visit visit);

// A child inherits its parent's listeners, but it is not alone with them.
void after_fork_in_child();

// The one with that number, below count().
size_t count();
const sockaddr* at(size_t number);

template <class Visit>
void for_each(Visit visit) {
  for (size_t i = 0; i < count(); ++i) visit(at(i));
}

}  // namespace gaiter::shim::listeners
