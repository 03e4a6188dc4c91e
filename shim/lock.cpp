#include "shim/lock.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "shim/process.h"

namespace gaiter::shim {

namespace {

// How often a waiter looks whether the owner still lives.
constexpr timespec patience{.tv_sec = 0, .tv_nsec = 50'000'000};

// A thread id is a valid target of kill(2) on Linux also if it is not a group's
// leader. EPERM means that it lives under another user.
bool is_dead(uint32_t thread) { return kill(static_cast<pid_t>(thread), 0) != 0 && errno == ESRCH; }

}  // namespace

LockResult Lock::acquire(bool wait_for_parked) {
  const uint32_t self = process::thread_id();
  uint32_t expected = 0;
  if (word_.compare_exchange_strong(expected, self, std::memory_order_acquire))
    return LockResult::acquired;
  return acquire_slowly(self, wait_for_parked);
}

LockResult Lock::acquire_slowly(uint32_t self, bool wait_for_parked) {
  const int saved_errno = errno;
  LockResult result = LockResult::acquired;
  for (;;) {
    uint32_t seen = word_.load(std::memory_order_relaxed);
    if (seen == 0) {
      // Others may still wait behind us: keep their mark.
      if (word_.compare_exchange_strong(seen, self | waiters, std::memory_order_acquire)) break;
      continue;
    }
    const uint32_t owner = seen & ~waiters;
    const bool parked = parked_.load(std::memory_order_relaxed) != 0;
    if (owner == self) {
      result = parked ? LockResult::nested : LockResult::reentered;
      if (parked) unpark();
      break;
    }
    if (parked && !wait_for_parked && !is_dead(owner)) {
      result = LockResult::busy;
      break;
    }
    if ((seen & waiters) == 0 && !word_.compare_exchange_strong(seen, seen | waiters)) continue;
    syscall(SYS_futex, &word_, FUTEX_WAIT, owner | waiters, &patience, nullptr, 0);
    seen = owner | waiters;
    if (word_.load(std::memory_order_relaxed) == seen && is_dead(owner) &&
        word_.compare_exchange_strong(seen, self | waiters, std::memory_order_acquire)) {
      result = parked ? LockResult::acquired : LockResult::acquired_from_dead;
      unpark();
      break;
    }
  }
  errno = saved_errno;
  return result;
}

void Lock::release(LockResult how) {
  if (how == LockResult::nested) {
    park();
    return;
  }
  if (!held(how)) return;
  if ((word_.exchange(0, std::memory_order_release) & waiters) != 0) {
    const int saved_errno = errno;
    syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    errno = saved_errno;
  }
}

}  // namespace gaiter::shim
