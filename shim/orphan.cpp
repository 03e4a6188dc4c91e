#include "shim/orphan.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace gaiter::shim {

namespace {

void close_span(unsigned first, unsigned last) {
  if (first > last || real::close_range(first, last, 0) == 0) return;
  for (unsigned fd = first; fd <= std::min(last, 65'535U); ++fd) real::close(static_cast<int>(fd));
}

}  // namespace

// proc(5): the link leads nowhere until the namespace has a first process.
bool child_begins_namespace() {
  struct stat status;
  const int saved_errno = errno;
  const bool begins = stat("/proc/self/ns/pid_for_children", &status) != 0 && errno == ENOENT &&
                      stat("/proc/self/ns/pid", &status) == 0;
  errno = saved_errno;
  return begins;
}

void stand_alone(const char* name) {
  setsid();
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  prctl(PR_SET_NAME, name);
}

void let_go_of_all_but(int one, int other) {
  fd_table::for_each(
      [](int number, Slot&, void* kept) {
        if (number != *static_cast<int*>(kept)) fd_table::forget(number);
      },
      &one);
  const auto low = static_cast<unsigned>(std::min(one, other));
  const auto high = static_cast<unsigned>(std::max(one, other));
  if (low > 0) close_span(0, low - 1);
  close_span(low + 1, high - 1);
  close_span(high + 1, ~0U);
}

}  // namespace gaiter::shim
