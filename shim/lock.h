// A lock that lives in memory shared between processes, knows its owner, and is
// never held by the dead.
//
// One guards each direction of a connection. Its holder may be *parked*: asleep
// in the kernel. That lets a non-blocking caller say EAGAIN at once instead of
// waiting. A signal handler that interrupted the owner is turned away; code that a
// longjmp out of such a handler led to is not, since the owner's frame is gone.
//
// Its word is not believed: whoever writes into it can make others wait for a
// bounded time, or give the lock up for lost, and no more. Who is parked may find on waking
// that others took him for dead: unpark() tells.
#pragma once

#include <atomic>
#include <cstdint>

namespace gaiter::shim {

enum class LockResult : uint8_t {
  acquired,
  acquired_from_dead,  // the owner died at work: what the lock guards may be torn
  reentered,           // this thread is in the middle of an operation (signal handler): hands off
  busy,                // the owner is parked, and the caller does not wait (any longer)
  interrupted,         // a signal handler ran while the caller waited for a parked owner
  lost,  // nothing can be told of the owner, or he has been at work for too long: give up
         // what the lock guards
};

inline bool held(LockResult result) { return result <= LockResult::acquired_from_dead; }

class Lock {
 public:
  // Takes the lock. Waits for an owner that is at work, but not for ever; for one that is
  // parked only if `wait_for_parked`. A parked owner that died, or was left behind by a
  // longjmp, gives `acquired`: what it was about is for the guarded data to say.
  // `frame` is where the caller keeps a pointer to this lock, in a stack frame that
  // lives for as long as the lock is held, and from which nothing takes it again;
  // nullptr if there is none. Never allocates.
  LockResult acquire(bool wait_for_parked, const Lock* const* frame = nullptr);

  // As acquire(), but waits for nobody: `busy` if another thread has it.
  LockResult try_acquire();

  // As acquire(true), but as a blocking system call waits: until `until`
  // (process::now(); INT64_MAX = for ever), a signal handler, or cancellation.
  LockResult acquire_as_call(int64_t until, const Lock* const* frame);

  // Gives back what acquire() returned; nothing, if others have it by now.
  void release(LockResult how);

  // Whether this thread owns it (and so a caller is a signal handler).
  bool is_mine() const;

  // Around a system call that may sleep. unpark(): false if it is not this thread's any more.
  void park();
  bool unpark();

  // How long, in all, anybody waits for an owner at work or of whom nothing is known, in
  // nanoseconds. Tests shorten it.
  static std::atomic<int64_t> patience;

 private:
  class Wait;
  LockResult acquire_slowly(uint64_t self, bool wait_for_parked, const Lock* const* frame,
                            const int64_t* until = nullptr);
  LockResult reenter(uint64_t seen, const Lock* const* frame);
  LockResult judge_parked(uint64_t seen);
  LockResult sleep_as_call(uint64_t seen, int64_t until, int64_t nap);
  void sleep(uint64_t seen, int64_t nap);
  uint32_t* futex() { return reinterpret_cast<uint32_t*>(&word_); }

  // The owner's member number (family.h) above; below, whether someone waits, whether the
  // owner is parked, and its thread id. What futex(2) looks at is the lower half.
  std::atomic<uint64_t> word_{0};
  // When somebody who does not wait first found a parked owner of whom nothing is known:
  // seconds of the monotonic clock; 0 = not since it was last parked.
  std::atomic<uint32_t> doubted_{0};
};
static_assert(sizeof(Lock) == 16);

// RAII; check held() before touching what the lock guards.
class LockGuard {
 public:
  LockGuard(Lock& lock, bool wait_for_parked)
      : lock_(&lock), result_(lock.acquire(wait_for_parked, &lock_)) {}
  struct AsCall {
    int64_t until;
  };
  LockGuard(Lock& lock, AsCall wait)
      : lock_(&lock), result_(lock.acquire_as_call(wait.until, &lock_)) {}
  ~LockGuard() { lock_->release(result_); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

  bool held() const { return shim::held(result_); }
  LockResult result() const { return result_; }

 private:
  Lock* const lock_;
  const LockResult result_;
};

// Marks the holder asleep for a scope; whether it still is the holder, the lock tells.
class Parked {
 public:
  explicit Parked(Lock& lock) : lock_(lock) { lock_.park(); }
  ~Parked() { lock_.unpark(); }
  Parked(const Parked&) = delete;
  Parked& operator=(const Parked&) = delete;

 private:
  Lock& lock_;
};

}  // namespace gaiter::shim
