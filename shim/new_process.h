// What has to be done in a child, however it was made.
#pragma once

namespace gaiter::shim {

// In a fork(2) child, after fd_table::freeze_for_fork() in the parent: all that
// concerns the shim, but for the locks that only allocating code takes.
void begin_child();

// In one that was made past us (clone(2) itself): the first to meet it calls this.
void meet_new_process();

}  // namespace gaiter::shim
