#include "shim/call_wait.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

// A thread that waits in a call commits none: who handles crashes (runtimes, sanitizers) tells
// nothing of how its other handlers are meant.
bool is_of_a_fault(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
         signal == SIGTRAP || signal == SIGSYS || signal == SIGABRT;
}

}  // namespace

int64_t timeout_of(int fd, int option) {
  timeval time{};
  socklen_t length = sizeof time;
  if (real::getsockopt(fd, SOL_SOCKET, option, &time, &length) != 0) return 0;
  return int64_t{time.tv_sec} * 1'000'000'000 + int64_t{time.tv_usec} * 1000;
}

int64_t wait_limit(int fd, int option) {
  const int64_t timeout = timeout_of(fd, option);
  return timeout == 0 ? forever : process::now() + timeout;
}

bool restarts_after_signal() {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (is_of_a_fault(signal)) continue;
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) != 0) continue;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) continue;
    if ((action.sa_flags & SA_RESTART) == 0) return false;
  }
  return true;
}

bool goes_on_after_signal(int64_t until) {
  return errno == EINTR && until == forever && restarts_after_signal();
}

bool waits_on(LockResult result, int64_t until) {
  errno = result == LockResult::interrupted ? EINTR : EAGAIN;
  return goes_on_after_signal(until);
}

int await_events(int fd, short events, int64_t until) {
  pollfd one{fd, events, 0};
  const timespec time = time_left(until);
  const int got = real::ppoll(&one, 1, &time, nullptr);
  if (got == 0) errno = EAGAIN;
  return got > 0 ? one.revents : -1;
}

constinit std::atomic<bool> timeouts_are_used = false;

CallDeadline::CallDeadline(int option, int flags)
    : option_(option),
      began_(timeouts_are_used.load(std::memory_order_relaxed) && (flags & MSG_DONTWAIT) == 0
                 ? process::now()
                 : 0) {}

int64_t CallDeadline::of(int fd) const {
  if (began_ == 0) return 0;
  const int64_t timeout = timeout_of(fd, option_);
  return timeout != 0 && is_blocking(fd) ? began_ + timeout : 0;
}

int64_t CallDeadline::of_rest(int fd) const {
  const int64_t until = of(fd);
  return until != 0 || !is_blocking(fd) ? until : forever;
}

bool is_blocking(int fd) {
  const int saved_errno = errno;
  const int flags = real::fcntl(fd, F_GETFL, nullptr);
  errno = saved_errno;
  return flags >= 0 && (flags & O_NONBLOCK) == 0;
}

ssize_t broken_pipe(int flags) {
  if ((flags & MSG_NOSIGNAL) == 0)
    real::syscall(SYS_tgkill, getpid(), process::thread_id(), SIGPIPE, 0, 0, 0);
  errno = EPIPE;
  return -1;
}

}  // namespace gaiter::shim
