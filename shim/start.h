// The process's beginning, forks and end, as far as Gaiter takes part in them.
#pragma once

namespace gaiter::shim {

// Around each fork: libc calls them, unless the program forks past libc. The child's
// locks are free and its memory is known to be its own afterwards.
void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

// Closes every protected connection: those that only this process still holds
// get their close_notify. Does nothing in a vfork child.
void end_process();

}  // namespace gaiter::shim
