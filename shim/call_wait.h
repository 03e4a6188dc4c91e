// How a call on a socket waits where the kernel cannot do it for us: no longer than the
// program's timeouts say, and as signals let it. Times are process::now()'s.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "shim/clock.h"
#include "shim/lock.h"

namespace gaiter::shim {

// SO_RCVTIMEO or SO_SNDTIMEO in nanoseconds; 0 = none.
int64_t timeout_of(int fd, int option);

// The end of a wait that begins now under that option; forever = none.
int64_t wait_limit(int fd, int option);

// Asleep until poll(2) has some of `events` to say of `fd`: what it says; -1 with errno, EAGAIN
// after `until` (as a system call's time out).
int await_events(int fd, short events, int64_t until);

// After LockGuard::AsCall gave no lock: whether the call waits on. If not, errno.
bool waits_on(LockResult result, int64_t until);

// After a signal interrupted a wait: whether the plain call would have gone on by
// itself. Which signal it was cannot be known; it would if each handler that the
// program has installed says SA_RESTART.
bool restarts_after_signal();
// The same of a wait that failed with errno and would last until `until`: with a timeout the
// kernel restarts nothing (signal(7)).
bool goes_on_after_signal(int64_t until);

// Whether this process has ever set such a timeout: else none is looked for.
extern std::atomic<bool> timeouts_are_used;

// SO_RCVTIMEO and SO_SNDTIMEO as one deadline for a whole call, however many records
// and system calls it takes. The first wait is the kernel's own.
class CallDeadline {
 public:
  CallDeadline(int option, int flags);
  // When a call on `fd` that has waited already must end (process::now()); 0: by
  // itself, as it has no such option or does not block.
  int64_t of(int fd) const;
  // The same for a call that has taken something: forever in place of 0 if it blocks, since
  // any signal must end it, where a recv(2) that has nothing goes on (SA_RESTART).
  int64_t of_rest(int fd) const;

 private:
  const int option_;
  const int64_t began_;  // 0: nobody uses timeouts
};

// Whether calls on `fd` would block by themselves.
bool is_blocking(int fd);

// Returns -1 with errno EPIPE, after SIGPIPE unless MSG_NOSIGNAL forbids it.
ssize_t broken_pipe(int flags);

}  // namespace gaiter::shim
