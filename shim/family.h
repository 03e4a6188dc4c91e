// The processes that share the arena: one that was started, and all that it and
// its children forked. A member that is killed, or executes another program, cannot
// say that its descriptors are closed: the others look.
#pragma once

#include <cstdint>

namespace gaiter::shim::family {

// This process's number in the family, never 0 and never used again.
uint32_t self();

// Before fork(2): the number that the child will have. In the child: takes it.
uint32_t expect_child();
void become_child();
// In a child that nobody expected: takes a number of its own.
void join();

// Whether a member is known to have ended or to execute another program. A few
// system calls.
bool is_gone(uint32_t member);

}  // namespace gaiter::shim::family
