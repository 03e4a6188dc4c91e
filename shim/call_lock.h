// The lock of one direction, taken as a system call would wait for data. Thread-safe.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/lock.h"

namespace gaiter::shim {

// Gives what `work(LockResult)` gives under the lock. While another call holds it, a blocking
// one waits for as long as it would for data (SO_RCVTIMEO or SO_SNDTIMEO: `limit_option`);
// others, and those whose time is up, give -1 and errno. A lock that is lost is told to
// `work`, which may touch nothing and ends the connection.
template <class Work>
ssize_t with_call_lock(Lock& lock, int fd, int flags, int limit_option, const Work& work) {
  LockGuard guard(lock, false);
  if (guard.held() || guard.result() == LockResult::lost) [[likely]]
    return work(guard.result());
  if (guard.result() != LockResult::busy || (flags & MSG_DONTWAIT) != 0 || !is_blocking(fd)) {
    errno = EAGAIN;
    return -1;
  }
  const int64_t until = wait_limit(fd, limit_option);
  for (;;) {
    LockGuard patient(lock, LockGuard::AsCall{until});
    if (patient.held() || patient.result() == LockResult::lost) return work(patient.result());
    if (!waits_on(patient.result(), until)) return -1;
  }
}

}  // namespace gaiter::shim
