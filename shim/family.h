// The processes that share the arena: one that was started, and all that it and
// its children forked. A member that is killed, or executes another program, cannot
// say that its descriptors are closed: the others look.
//
// A member is known by a number that the family gives, since process ids mean nothing in
// another PID namespace. What is written there of members is not believed for more than
// whether they live: a lie makes a connection slow or ends it.
#pragma once

#include <cstdint>

#include "shim/life.h"

namespace gaiter::shim::family {

// This process's number in the family, never 0 and never used again.
uint32_t self();

// Before fork(2): the number that the child will have. In the child: takes it. In the
// parent: what id the child has for it, who may see more of a child than that of him.
uint32_t expect_child();
void become_child();
void child_is(uint32_t member, int pid);
// In a child that nobody expected: takes a number of its own.
void join();

// A member, or a thread of one, by the id that its own namespace gives it. A few system calls.
life::Life look(uint32_t member, uint32_t thread);

// Whether a member is known to have ended or to execute another program. A few
// system calls.
bool is_gone(uint32_t member);

}  // namespace gaiter::shim::family
