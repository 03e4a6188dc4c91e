// The process's beginning, forks and end, as far as Gaiter takes part in them.
#pragma once

namespace gaiter::shim {

// Says close_notify on every connection that only this process still holds. Not
// for a vfork child (does nothing there).
void end_process();

}  // namespace gaiter::shim
