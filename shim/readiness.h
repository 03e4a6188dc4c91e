// poll(2) over descriptors of which some are protected.
#pragma once

#include <poll.h>
#include <signal.h>

#include <cstdint>

namespace gaiter::shim {

// As ppoll(2), with an absolute deadline (process::now(); INT64_MAX = none, 0 =
// do not wait). Protected sockets are reported by what their plaintext allows.
int await_readiness(pollfd* fds, nfds_t count, int64_t deadline, const sigset_t* mask);

// Whether any of them concerns us.
bool any_protected(const pollfd* fds, nfds_t count);

}  // namespace gaiter::shim
