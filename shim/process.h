// Which process and thread this is, cheaply and rightly across fork, vfork and
// clone.
#pragma once

#include <cstdint>

namespace gaiter::shim::process {

// This thread's id, as gettid(2), without a system call. Right also in a child
// that no fork handler saw (_Fork, clone): a page that the kernel wipes on fork
// tells. It means nothing in another PID namespace.
uint32_t thread_id();

// This process's id, as getpid(2), without a system call.
uint32_t id();

// True in a vfork child, which borrows its parent's memory: its closes and dups
// concern the kernel only, and must leave our tables alone. One system call.
bool memory_is_borrowed();

// This process's number in its fork family, 0 = none yet (family.h keeps it here: a page that
// the kernel wipes on fork). Never that of a parent.
uint32_t member();
// The one that is set; another one if a thread was first. 0 begins anew.
uint32_t set_member(uint32_t number);

// This thread's identity in the family, whatever PID namespaces its members are in: member
// above, thread id below.
inline uint64_t identity() { return uint64_t{member()} << 32 | thread_id(); }

// Rises from each process to its children, by one: what was noted in an earlier one is
// known by it.
uint32_t generation();

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
