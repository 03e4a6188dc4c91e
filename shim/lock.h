// A lock that lives in memory shared between processes, knows its owner, and is
// never held by the dead.
//
// One guards each direction of a connection. Its holder may be *parked*: asleep
// in the kernel, with everything consistent. That lets a non-blocking caller say
// EAGAIN at once instead of waiting, and lets a signal handler (or code after a
// longjmp out of one) that interrupted the sleeper use the connection.
#pragma once

#include <atomic>
#include <cstdint>

namespace gaiter::shim {

enum class LockResult : uint8_t {
  acquired,
  acquired_from_dead,  // the owner died inside: what the lock guards may be torn
  nested,              // acquired inside this same thread's own parked section
  reentered,           // this thread is in the middle of an operation (signal handler): hands off
  busy,                // only if told not to wait: the owner is parked
};

inline bool held(LockResult result) { return result <= LockResult::nested; }

class Lock {
 public:
  // Takes the lock. Waits for an owner that is at work; for one that is parked
  // only if `wait_for_parked`. Never allocates.
  LockResult acquire(bool wait_for_parked);

  // Gives back what acquire() returned.
  void release(LockResult how);

  // Around a system call that may sleep.
  void park() { parked_.store(1, std::memory_order_relaxed); }
  void unpark() { parked_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr uint32_t waiters = 0x8000'0000;
  LockResult acquire_slowly(uint32_t self, bool wait_for_parked);

  std::atomic<uint32_t> word_{0};  // owner's thread id, and whether someone waits
  std::atomic<uint32_t> parked_{0};
};

// RAII; check held() before touching what the lock guards.
class LockGuard {
 public:
  LockGuard(Lock& lock, bool wait_for_parked)
      : lock_(lock), result_(lock.acquire(wait_for_parked)) {}
  ~LockGuard() { lock_.release(result_); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

  bool held() const { return shim::held(result_); }
  LockResult result() const { return result_; }

 private:
  Lock& lock_;
  const LockResult result_;
};

// Marks the holder asleep for a scope; a nested holder leaves the mark alone.
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
