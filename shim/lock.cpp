#include "shim/lock.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shim/clock.h"
#include "shim/process.h"

namespace gaiter::shim {

namespace {

// How often a waiter looks whether the owner still lives.
constexpr timespec patience{.tv_sec = 0, .tv_nsec = 50'000'000};

// The same where the wait is a call of the program's, in nanoseconds: at first and at last.
constexpr int64_t first_nap = 40'000'000;
constexpr int64_t longest_nap = 2'000'000'000;

// How often such a call looks whether the owner, who was at work, sleeps by now.
constexpr timespec glance{.tv_sec = 0, .tv_nsec = 2'000'000};

bool on_alternate_stack() {
  stack_t stack;
  return sigaltstack(nullptr, &stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0;
}

}  // namespace

bool Lock::is_mine() const {
  return (word_.load(std::memory_order_relaxed) & ~waiters) == process::thread_id();
}

LockResult Lock::acquire(bool wait_for_parked, const Lock* const* frame) {
  const uint32_t self = process::thread_id();
  uint32_t expected = 0;
  LockResult result = LockResult::acquired;
  if (!word_.compare_exchange_strong(expected, self, std::memory_order_acquire))
    result = acquire_slowly(self, wait_for_parked, frame);
  if (held(result)) frame_ = frame;
  return result;
}

LockResult Lock::acquire_as_call(int64_t until, const Lock* const* frame) {
  const uint32_t self = process::thread_id();
  uint32_t expected = 0;
  LockResult result = LockResult::acquired;
  if (!word_.compare_exchange_strong(expected, self, std::memory_order_acquire))
    result = acquire_slowly(self, true, frame, &until);
  if (held(result)) frame_ = frame;
  return result;
}

// One sleep in which the caller can be cancelled, as libc does it around a system call
// that blocks. A signal handler that runs between two of them is missed, on a busy machine
// also one that runs before a thread whose sleep is over gets a processor: they get longer
// soon. `acquired`: look again.
LockResult Lock::sleep_as_call(uint32_t seen, int64_t until, int64_t nap) {
  const int64_t left = until - process::now();
  if (left <= 0) return LockResult::busy;
  nap = std::min(nap, left);
  const timespec time = to_timespec(nap);
  int before;
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
  const long woken = syscall(SYS_futex, &word_, FUTEX_WAIT, seen, &time, nullptr, 0);
  pthread_setcanceltype(before, nullptr);
  return woken < 0 && errno == EINTR ? LockResult::interrupted : LockResult::acquired;
}

// The owner is this thread: is its frame further up this stack (then `frame` is a
// signal handler's), or was it left by a longjmp? It holds a pointer to this lock,
// which calls made since will have overwritten if they reach that far.
bool Lock::owner_frame_is_gone(const Lock* const* frame) const {
  if (frame_ == nullptr || frame == nullptr) return false;
  if (frame >= frame_) return !on_alternate_stack();
  return *static_cast<const Lock* const volatile*>(frame_) != this;
}

LockResult Lock::acquire_slowly(uint32_t self, bool wait_for_parked, const Lock* const* frame,
                                const int64_t* until) {
  const int saved_errno = errno;
  LockResult result = LockResult::acquired;
  int64_t nap = first_nap;
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
      if (!owner_frame_is_gone(frame)) {
        result = LockResult::reentered;
        break;
      }
      result = parked ? LockResult::acquired : LockResult::acquired_from_dead;
      unpark();
      break;
    }
    if (parked && !wait_for_parked && !process::is_dead(owner)) {
      result = LockResult::busy;
      break;
    }
    if ((seen & waiters) == 0 && !word_.compare_exchange_strong(seen, seen | waiters)) continue;
    if (until == nullptr || !parked) {
      // Who works is soon done, or falls asleep, which is not told: then a signal counts.
      const timespec& time = until == nullptr ? patience : glance;
      syscall(SYS_futex, &word_, FUTEX_WAIT, owner | waiters, &time, nullptr, 0);
    } else {
      result = sleep_as_call(owner | waiters, *until, nap);
      if (result != LockResult::acquired) break;
      nap = std::min(8 * nap, longest_nap);
    }
    seen = owner | waiters;
    if (word_.load(std::memory_order_relaxed) == seen && process::is_dead(owner) &&
        word_.compare_exchange_strong(seen, self | waiters, std::memory_order_acquire)) {
      result = parked_.load() != 0 ? LockResult::acquired : LockResult::acquired_from_dead;
      unpark();
      break;
    }
  }
  errno = saved_errno;
  return result;
}

void Lock::release(LockResult how) {
  if (!held(how)) return;
  if ((word_.exchange(0, std::memory_order_release) & waiters) != 0) {
    const int saved_errno = errno;
    syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    errno = saved_errno;
  }
}

}  // namespace gaiter::shim
