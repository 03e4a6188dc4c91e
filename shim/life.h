// Who lives: what one process can know of another.
//
// Process ids mean something in one PID namespace only. So each process is recorded with its
// namespace, and of one in another namespace nothing is concluded from an id.
#pragma once

#include <cstdint>

namespace gaiter::shim::life {

enum class Life : uint8_t { alive, dead, unknown };

// How a process began, for others to find it by.
struct Birth {
  uint32_t pid;
  // The same number in all processes that see the same ids.
  uint32_t space;
  // CLOCK_BOOTTIME, nanoseconds; 0 = its clock is not the family's (time_namespaces(7)).
  int64_t time;
};

// This process's. `otherwise` is its namespace's number where /proc cannot tell, and should be
// no other process's. To be asked for once a process at least, before it forks.
Birth birth(uint32_t otherwise);

// In the parent, before fork(2).
void before_birth();

// The process or thread `id` of this PID namespace: dead also if nobody has reaped it yet, if
// the id is another's by now (which began after `began`, as Birth::time), or if the 8 bytes
// at `mark`, which are the same in the whole family, are not there (it executes another
// program). Never `unknown`. A few system calls.
Life look(uint32_t id, int64_t began, const uint64_t* mark);

// The same of a thread of which no more is known than its id.
Life look(uint32_t id);

}  // namespace gaiter::shim::life
