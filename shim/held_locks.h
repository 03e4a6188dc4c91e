// Which locks this thread holds, or is about to take, and from where: what no shared memory says.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/process.h"

namespace gaiter::shim {

class Lock;

namespace held_locks {

struct Held {
  const Lock* lock;
  const Lock* const* frame;  // LockGuard's, nullptr = none
};

// The latest. One that is forgotten because more came, or were left by a longjmp, counts as
// lost if it is ever met again.
inline constexpr size_t remembered = 32;
struct Table {
  Held held[remembered];
  uint32_t next;
  uint32_t of_process;  // process::generation(): a fork child holds nothing
};
inline thread_local constinit Table table{};

// A signal handler may run in between any two instructions of these, and leaves the table as
// it was, but perhaps for places above `next`. So that it never meets a lock that is this
// thread's and not here, a lock is added before it is taken, and removed after it is given back.

inline void add(const Lock* lock, const Lock* const* frame) {
  const uint32_t now = process::generation();
  if (table.of_process != now) {
    table = {};
    table.of_process = now;
  }
  const uint32_t place = table.next;
  *const_cast<volatile uint32_t*>(&table.next) = place + 1;
  table.held[place % remembered] = {lock, frame};
}

// The latest of `lock` behind so many others.
inline Held* find(const Lock* lock, int behind) {
  if (table.of_process != process::generation()) return nullptr;
  for (uint32_t back = 1; back <= remembered; ++back) {
    Held& one = table.held[(table.next - back) % remembered];
    if (one.lock == lock && behind-- == 0) return &one;
  }
  return nullptr;
}

inline void remove(const Lock* lock) {
  Held* const mine = find(lock, 0);
  if (mine == nullptr) return;
  mine->lock = nullptr;
  if (mine == &table.held[(table.next - 1) % remembered]) --table.next;
}

}  // namespace held_locks

}  // namespace gaiter::shim
