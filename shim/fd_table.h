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

// Enters the slot behind `fd`; empty if there is none. While another thread
// changes what `fd` leads to (Change), waits; for code that interrupted this very
// thread while it does so, `fd` leads to a connection that refuses all with EBADF.
SlotRef find(int fd);

// Whether `fd` leads to `slot`, which the caller keeps from ending; and any number
// that does, preferably `fd`, or -1 (slow if it is another).
bool leads_to(int fd, const Slot& slot);
int number_for(const Slot& slot, int fd);

// Puts `slot` behind `fd` (which has none) and counts the descriptor. False if
// there is no memory for the entry. A new connection may lie elsewhere then: find().
[[nodiscard]] bool publish(int fd, Slot& slot, bool close_on_exec = false);

// A protected connection's FD_CLOEXEC as the program wishes it: the kernel always
// has it set.
bool close_on_exec(int fd);
void set_close_on_exec(int fd, bool wish);

// Around the kernel's change of what a number leads to: a close, or a dup2 over it.
// Others who ask for the number meanwhile wait: it may still lead to a protected
// socket, or already to something new.
class Change {
 public:
  // `next`: what the number will lead to; nullptr = nothing of ours.
  explicit Change(int fd, Slot* next = nullptr);
  // Gives back what was there before; one of the two was not called: now nothing is.
  ~Change();
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  // The kernel has done it, and the number leads to `next`.
  void done(bool close_on_exec = false);
  // The kernel has refused: the number leads to what it did before.
  void undo();

 private:
  const int fd_;
  Slot* const next_;
  Slot* before_ = nullptr;
  uint32_t was_ = 0;
  std::atomic<uint32_t>* entry_;
};

// Takes the entry away and returns the slot, whose descriptor the caller must
// still give back by leave(slot, Slot::descriptor). nullptr if there was none.
// Others wait as during a Change until settle(fd), which must follow.
Slot* withdraw(int fd);
void settle(int fd);

// All three, where the kernel's number stays as it is or is gone already. False if there
// was no entry, or another thread is changing it.
bool forget(int fd);

// No number above this was ever entered.
int highest();

// Calls visit(fd, slot) for every entry.
void for_each(void (*visit)(int fd, Slot& slot, void* context), void* context);

// Around fork(2): nothing is entered or withdrawn in between, and every entry
// gets one more descriptor, for the child. undo: the fork failed.
void freeze_for_fork();
void thaw_in_parent();
void thaw_in_child();
// In a child for which nobody did the above: counts it among the holders of what it
// has inherited. What ended meanwhile in the parent refuses all with EBADF here.
void adopt_unannounced();
void undo_fork();
// In the parent of a child that the above was done for, which is `pid` here.
void child_is(int pid);

}  // namespace gaiter::shim::fd_table
