// What a relay does once it runs.
#pragma once

namespace gaiter::shim {

// Carries bytes between the protected connection behind `fd` and the local socket
// `end` until both directions ended, then leaves the process. Called in a child
// that was forked for it, with all signals blocked.
[[noreturn]] void run_relay(int fd, int end);

}  // namespace gaiter::shim
