// From a descriptor's number to what Gaiter knows of it: one load for the many
// that it knows nothing of.
//
// Private to the process; a fork child has a copy (and its own references).
#pragma once

#include <atomic>
#include <cstdint>

#include "shim/slot.h"

namespace gaiter::shim::fd_table {

// Numbers below this are found by one load; those above through a second level.
inline constexpr uint32_t near_size = 65'536;
extern std::atomic<uint32_t> near[near_size];

std::atomic<uint32_t>* far(int fd);

// Whether anything is known of `fd`.
inline bool has(int fd) {
  if (static_cast<uint32_t>(fd) < near_size) [[likely]]
    return near[fd].load(std::memory_order_acquire) != 0;
  std::atomic<uint32_t>* const entry = far(fd);
  return entry != nullptr && entry->load(std::memory_order_acquire) != 0;
}

// Enters the slot behind `fd`; empty if there is none.
SlotRef find(int fd);

// Whether `fd` leads to `slot`, which the caller keeps from ending; and any number
// that does, or -1 (slow).
bool leads_to(int fd, const Slot& slot);
int number_for(const Slot& slot);

// Puts `slot` behind `fd` (which has none) and counts the descriptor. False if
// there is no memory for the entry.
[[nodiscard]] bool publish(int fd, Slot& slot);

// Takes the entry away and returns the slot, whose descriptor the caller must
// still give back by leave(slot, Slot::descriptor). nullptr if there was none.
// Until settle(fd), which must follow the kernel's close or dup2, others who ask
// for `fd` wait: the number may still lead to a protected socket, or already to
// something new.
Slot* withdraw(int fd);
void settle(int fd);

// Calls visit(fd, slot) for every entry.
void for_each(void (*visit)(int fd, Slot& slot, void* context), void* context);

// Around fork(2): nothing is entered or withdrawn in between, and every entry
// gets one more descriptor, for the child. undo: the fork failed.
void freeze_for_fork();
void thaw_in_parent();
void thaw_in_child();
void undo_fork();

}  // namespace gaiter::shim::fd_table
