// Processes of Gaiter's own: forks of the program that never exec, and that no wait(2)
// of the program meets.
#pragma once

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

#include "shim/fd_table.h"
#include "shim/real.h"

namespace gaiter::shim {

class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// Whether the next child will be the first process of a PID namespace (unshare(2)): with it the
// namespace ends, and whatever else is in there.
bool child_begins_namespace();

// Runs `life`, which does not return, in a process that is nobody's child. Call with all
// signals blocked. False with errno: there may be no more processes.
//
// Each of its two forks takes references for its child (fd_table); those of the one in
// the middle are given back by who finds it gone.
template <class Life>
bool fork_orphan(Life life) {
  if (child_begins_namespace()) {
    errno = EAGAIN;
    return false;
  }
  const pid_t middle = real::fork();
  if (middle < 0) {
    const int error = errno;
    fd_table::undo_fork();
    errno = error;
    return false;
  }
  if (middle == 0) {
    const pid_t orphan = real::fork();
    if (orphan == 0) life();
    real::_exit(orphan < 0 ? 1 : 0);
  }
  int status = 0;
  pid_t reaped;
  do {
    reaped = waitpid(middle, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  // A program that ignores SIGCHLD leaves no status; then the orphan's life shows.
  if (reaped < 0 || status == 0) return true;
  errno = EAGAIN;
  return false;
}

// In it: the program's handlers and its terminal's signals are none of its business.
void stand_alone(const char* name);

// Holds nothing of the program's any more but these two descriptors; only `one` may be
// known to the table.
void let_go_of_all_but(int one, int other);

}  // namespace gaiter::shim
