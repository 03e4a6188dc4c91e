// Which process and thread this is, cheaply and rightly across fork, vfork and
// clone.
#pragma once

#include <cstdint>

namespace gaiter::shim::process {

// This thread's id, as gettid(2), without a system call. Right also in a child
// that no fork handler saw (_Fork, clone): a page that the kernel wipes on fork
// tells.
uint32_t thread_id();

// True in a vfork child, which borrows its parent's memory: its closes and dups
// concern the kernel only, and must leave our tables alone. One system call.
bool memory_is_borrowed();

// Whether the thread or process `id` has ended: also one that nobody has reaped
// yet. False where that cannot be told. A few system calls.
bool is_dead(uint32_t id);

// As is_dead(), or it executes another program: the 8 bytes at `mark`, which are the
// same in all processes of the fork family, are not there any more.
bool has_left_family(uint32_t id, const uint64_t* mark);

// Absolute monotonic time in nanoseconds.
int64_t now();

// Once, at start.
void start();

// True in a child that was made where no fork handler ran (clone(2) itself), until
// after_fork_in_child() is called there. Two loads.
bool is_unannounced();

// Called in the child by the fork handler, or by who finds it unannounced.
void after_fork_in_child();

}  // namespace gaiter::shim::process
