#include "shim/open_numbers.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <algorithm>

#include "shim/real.h"

namespace gaiter::shim {

namespace {

// -1 for "." and "..".
int number_of(const char* name) {
  int number = 0;
  for (; *name != '\0'; ++name) {
    if (*name < '0' || *name > '9') return -1;
    number = number * 10 + (*name - '0');
  }
  return number;
}

// A bare call: other preloads lead open(2) elsewhere.
long open_listing() {
  static constexpr char path[] = "/proc/self/fd";
  return real::syscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path),
                       O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
}

bool is_of_the_kernel(int listing) {
  struct statfs system;
  return fstatfs(listing, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

bool visit_listed(void (*visit)(int fd)) {
  const int listing = static_cast<int>(open_listing());
  if (listing < 0) return false;
  alignas(dirent64) char room[2048];
  long got = is_of_the_kernel(listing) ? 0 : -1;
  if (got == 0) {
    while ((got = real::syscall(SYS_getdents64, listing, reinterpret_cast<long>(room), sizeof room,
                                0, 0, 0)) > 0) {
      for (long at = 0; at < got;) {
        const auto* const entry = reinterpret_cast<const dirent64*>(room + at);
        at += entry->d_reclen;
        const int fd = number_of(entry->d_name);
        if (fd >= 0 && fd != listing) visit(fd);
      }
    }
  }
  real::close(listing);
  return got == 0;
}

void visit_all_possible(void (*visit)(int fd)) {
  constexpr rlim_t most = 1 << 20;
  constexpr rlim_t at_once = 256;
  rlimit limit{};
  if (real::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_max = most;
  const rlim_t end = std::min(limit.rlim_max, most);
  // More than the soft limit cannot be asked about in one call.
  const rlim_t step = std::clamp<rlim_t>(limit.rlim_cur, 1, at_once);
  pollfd asked[at_once];
  for (rlim_t first = 0; first < end; first += step) {
    const rlim_t count = std::min(step, end - first);
    for (rlim_t i = 0; i < count; ++i) asked[i] = {static_cast<int>(first + i), 0, 0};
    if (real::poll(asked, count, 0) < 0) continue;
    for (rlim_t i = 0; i < count; ++i) {
      if ((asked[i].revents & POLLNVAL) == 0) visit(asked[i].fd);
    }
  }
}

}  // namespace

void for_each_open_number(void (*visit)(int fd)) {
  if (!visit_listed(visit)) visit_all_possible(visit);
}

}  // namespace gaiter::shim
