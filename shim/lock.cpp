#include "shim/lock.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "shim/clock.h"
#include "shim/family.h"
#include "shim/held_locks.h"
#include "shim/process.h"

namespace gaiter::shim {

namespace {

constexpr uint64_t waiters = 0x8000'0000;
constexpr uint64_t parked = 0x4000'0000;
constexpr uint64_t thread_mask = 0x3fff'ffff;  // ids are below 2^22 (PID_MAX_LIMIT)
static_assert(std::endian::native == std::endian::little, "the futex is the word's lower half");

// How often a waiter looks whether the owner still lives.
constexpr int64_t usual_nap = 50'000'000;
// The same where the wait is a call of the program's, in nanoseconds: at first and at last.
constexpr int64_t first_nap = 40'000'000;
constexpr int64_t longest_nap = 2'000'000'000;
// How often such a call looks whether the owner, who was at work, sleeps by now.
constexpr int64_t glance = 2'000'000;

constexpr int64_t second = 1'000'000'000;

// Without a family (private locks) the member is 0.
uint64_t own_identity() {
  return uint64_t{process::member()} << 32 | (process::thread_id() & thread_mask);
}
uint64_t owner_of(uint64_t word) { return word & ~(waiters | parked); }
bool is_parked(uint64_t word) { return (word & parked) != 0; }

// A process becomes a member, for one thing, while it holds a lock.
bool is_own(uint64_t word) {
  const uint64_t self = own_identity();
  const uint64_t owner = owner_of(word);
  return owner == self || owner == (self & thread_mask);
}

life::Life life_of(uint64_t word) {
  return family::look(static_cast<uint32_t>(word >> 32), static_cast<uint32_t>(word & thread_mask));
}

// After `before` was given back.
void wake_one(uint32_t* futex, uint64_t before) {
  if ((before & waiters) == 0) return;
  const int saved_errno = errno;
  syscall(SYS_futex, futex, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  errno = saved_errno;
}

bool on_alternate_stack() {
  stack_t stack;
  return sigaltstack(nullptr, &stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0;
}

// The owner is this thread, and had the lock from `theirs`: is that frame further up this
// stack (then `frame` is a signal handler's), or was it left by a longjmp? It holds a pointer
// to the lock, which calls made since will have overwritten if they reach that far.
bool is_frame_gone(const Lock* lock, const Lock* const* theirs, const Lock* const* frame) {
  if (theirs == nullptr || frame == nullptr) return false;
  if (frame >= theirs) return !on_alternate_stack();
  return *static_cast<const Lock* const volatile*>(theirs) != lock;
}

}  // namespace

constinit std::atomic<int64_t> Lock::patience = 10 * second;

// What a waiter has spent on an owner who should have been done, or is unknown. Time in which
// this process slept without wanting to (SIGSTOP) does not count.
class Lock::Wait {
 public:
  bool is_over() const { return spent_ >= Lock::patience.load(std::memory_order_relaxed); }
  // A look at the word costs something too, whoever changes it all the time.
  void tick() { spent_ += 1000; }
  void begin_nap() { began_ = process::now(); }
  void end_nap(int64_t nap) { spent_ += std::min(process::now() - began_, nap); }

 private:
  int64_t spent_ = 0;
  int64_t began_ = 0;
};

bool Lock::is_mine() const { return is_own(word_.load(std::memory_order_relaxed)); }

void Lock::park() {
  uint64_t seen = word_.load(std::memory_order_relaxed);
  doubted_.store(0, std::memory_order_relaxed);
  while (is_own(seen) && !word_.compare_exchange_weak(seen, seen | parked)) {
  }
}

bool Lock::unpark() {
  uint64_t seen = word_.load(std::memory_order_relaxed);
  while (is_own(seen)) {
    if (word_.compare_exchange_weak(seen, seen & ~parked)) return true;
  }
  return false;
}

LockResult Lock::acquire(bool wait_for_parked, const Lock* const* frame) {
  const uint64_t self = own_identity();
  uint64_t expected = 0;
  LockResult result = LockResult::acquired;
  held_locks::add(this, frame);
  if (!word_.compare_exchange_strong(expected, self, std::memory_order_acquire))
    result = acquire_slowly(self, wait_for_parked, frame);
  if (!held(result)) held_locks::remove(this);
  return result;
}

LockResult Lock::try_acquire() {
  uint64_t expected = 0;
  held_locks::add(this, nullptr);
  if (word_.compare_exchange_strong(expected, own_identity(), std::memory_order_acquire))
    return LockResult::acquired;
  held_locks::remove(this);
  return is_own(expected) ? LockResult::reentered : LockResult::busy;
}

LockResult Lock::acquire_as_call(int64_t until, const Lock* const* frame) {
  const uint64_t self = own_identity();
  uint64_t expected = 0;
  LockResult result = LockResult::acquired;
  held_locks::add(this, frame);
  if (!word_.compare_exchange_strong(expected, self, std::memory_order_acquire))
    result = acquire_slowly(self, true, frame, &until);
  if (!held(result)) held_locks::remove(this);
  return result;
}

void Lock::sleep(uint64_t seen, int64_t nap) {
  const timespec time = to_timespec(nap);
  syscall(SYS_futex, futex(), FUTEX_WAIT, static_cast<uint32_t>(seen), &time, nullptr, 0);
}

// One sleep in which the caller can be cancelled, as libc does it around a system call
// that blocks. A signal handler that runs between two of them is missed, on a busy machine
// also one that runs before a thread whose sleep is over gets a processor: they get longer
// soon. `acquired`: look again.
LockResult Lock::sleep_as_call(uint64_t seen, int64_t until, int64_t nap) {
  const int64_t left = until - process::now();
  if (left <= 0) return LockResult::busy;
  const timespec time = to_timespec(std::min(nap, left));
  int before;
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
  const long woken =
      syscall(SYS_futex, futex(), FUTEX_WAIT, static_cast<uint32_t>(seen), &time, nullptr, 0);
  pthread_setcanceltype(before, nullptr);
  return woken < 0 && errno == EINTR ? LockResult::interrupted : LockResult::acquired;
}

// The word names this thread. It alone knows if it has the lock.
LockResult Lock::reenter(uint64_t seen, const Lock* const* frame) {
  const held_locks::Held* const mine = held_locks::find(this, 1);  // before what is under way
  if (mine == nullptr) return LockResult::lost;
  if (!is_frame_gone(this, mine->frame, frame)) return LockResult::reentered;
  unpark();
  return is_parked(seen) ? LockResult::acquired : LockResult::acquired_from_dead;
}

// For a caller who does not wait. `acquired`: the owner is dead. Of one who cannot be judged
// nobody is told `busy` for ever: a program asks again and again.
LockResult Lock::judge_parked(uint64_t seen) {
  const life::Life life = life_of(seen);
  if (life == life::Life::dead) return LockResult::acquired;
  if (life == life::Life::alive) return LockResult::busy;
  const auto now = static_cast<uint32_t>(process::now() / second) | 1;
  uint32_t since = 0;
  if (doubted_.compare_exchange_strong(since, now)) return LockResult::busy;
  const int64_t doubted = int64_t{static_cast<int32_t>(now - since)} * second;
  return doubted > patience.load(std::memory_order_relaxed) ? LockResult::lost : LockResult::busy;
}

LockResult Lock::acquire_slowly(uint64_t self, bool wait_for_parked, const Lock* const* frame,
                                const int64_t* until) {
  const int saved_errno = errno;
  LockResult result = LockResult::acquired;
  int64_t nap = first_nap;
  Wait wait;
  for (;; wait.tick()) {
    if (wait.is_over()) {
      result = LockResult::lost;
      break;
    }
    uint64_t seen = word_.load(std::memory_order_relaxed);
    if (seen == 0) {
      // Others may still wait behind us: keep their mark.
      if (word_.compare_exchange_strong(seen, self | waiters, std::memory_order_acquire)) break;
      continue;
    }
    if (is_own(seen)) {
      result = reenter(seen, frame);
      break;
    }
    if (is_parked(seen) && !wait_for_parked) {
      result = judge_parked(seen);
      if (result != LockResult::acquired) break;
      if (word_.compare_exchange_strong(seen, self | waiters, std::memory_order_acquire)) break;
      continue;
    }
    if ((seen & waiters) == 0 && !word_.compare_exchange_strong(seen, seen | waiters)) continue;
    seen |= waiters;
    wait.begin_nap();
    int64_t slept = until == nullptr ? usual_nap : glance;
    if (until == nullptr || !is_parked(seen)) {
      // Who works is soon done, or falls asleep, which is not told: then a signal counts.
      sleep(seen, slept);
    } else {
      slept = nap;
      result = sleep_as_call(seen, *until, nap);
      if (result != LockResult::acquired) break;
      nap = std::min(8 * nap, longest_nap);
    }
    if (word_.load(std::memory_order_relaxed) != seen) {
      if (!is_parked(seen)) wait.end_nap(slept);
    } else {
      const life::Life life = life_of(seen);
      if (life == life::Life::dead) {
        if (!word_.compare_exchange_strong(seen, self | waiters, std::memory_order_acquire))
          continue;
        result = is_parked(seen) ? LockResult::acquired : LockResult::acquired_from_dead;
        break;
      }
      // A living owner may sleep for as long as it likes.
      if (life == life::Life::unknown || !is_parked(seen)) wait.end_nap(slept);
    }
  }
  errno = saved_errno;
  return result;
}

void Lock::release(LockResult how) {
  if (!held(how)) return;
  uint64_t seen = own_identity();
  if (!word_.compare_exchange_strong(seen, 0, std::memory_order_release)) [[unlikely]] {
    while (is_own(seen)) {
      if (word_.compare_exchange_weak(seen, 0, std::memory_order_release)) {
        wake_one(futex(), seen);
        break;
      }
    }
  }
  held_locks::remove(this);
}

}  // namespace gaiter::shim
