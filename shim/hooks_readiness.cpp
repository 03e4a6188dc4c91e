// Hooks: poll, select, epoll.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "shim/clock.h"
#include "shim/epoll_set.h"
#include "shim/hooks.h"
#include "shim/poll_array.h"
#include "shim/process.h"
#include "shim/readiness.h"

namespace gaiter::shim {
namespace {

int64_t deadline_in(int milliseconds) {
  if (milliseconds < 0) return forever;
  return milliseconds == 0 ? 0 : process::now() + int64_t{milliseconds} * 1'000'000;
}

// As the kernel, which looks at no number that its table of descriptors has no room
// for: programs give getdtablesize() for the size of smaller sets.
int clamp_to_table(int count) {
  if (count <= FD_SETSIZE) return count;
  const int saved_errno = errno;
  int size = 0;
  const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    char text[2048];
    const ssize_t got = real::read(fd, text, sizeof text - 1);
    real::close(fd);
    text[std::max<ssize_t>(got, 0)] = '\0';
    if (const char* const found = std::strstr(text, "\nFDSize:"))
      size = std::atoi(found + std::strlen("\nFDSize:"));
  }
  errno = saved_errno;
  return std::min(count, std::max({size, fd_table::highest() + 1, FD_SETSIZE}));
}

// What the kernel's select looks at for each of the three sets.
constexpr short set_events[3] = {POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR,
                                 POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR, POLLPRI};

// Whether protected descriptors are among them. False as well of an array that the kernel will
// refuse: it is not ours to look at.
bool may_concern(pollfd* fds, nfds_t count) {
  if (fds == nullptr || count == 0 || fd_table::highest() < 0) return false;
  const size_t size = std::min<nfds_t>(count, SIZE_MAX / sizeof *fds) * sizeof *fds;
  // More than the limit on descriptors is EINVAL, whatever lies there.
  rlimit most;
  if (count > FD_SETSIZE && real::prlimit(0, RLIMIT_NOFILE, nullptr, &most) == 0 &&
      count > most.rlim_cur)
    return false;
  return memory::can_read(fds, size) && any_protected(fds, count);
}

// Whether the kernel could read them. If not, it is the one to say so.
bool are_readable(int count, fd_set* const (&sets)[3]) {
  constexpr int word_bits = 8 * sizeof(fd_mask);
  const size_t words = (static_cast<size_t>(std::max(count, 0)) + word_bits - 1) / word_bits;
  return std::ranges::all_of(sets, [&](const fd_set* set) {
    return set == nullptr || memory::can_read(set, words * sizeof(fd_mask));
  });
}

bool any_in_sets(int count, fd_set* const (&sets)[3]) {
  constexpr int word_bits = 8 * sizeof(fd_mask);
  if (!are_readable(count, sets)) return false;
  for (int fd = 0; fd < count; fd += word_bits) {
    fd_mask members = 0;
    for (const fd_set* set : sets) {
      if (set != nullptr) members |= __FDS_BITS(set)[fd / word_bits];
    }
    for (int bit = 0; members != 0 && bit < word_bits && fd + bit < count; ++bit) {
      if ((static_cast<unsigned long>(members) >> bit & 1) != 0 && fd_table::has(fd + bit))
        return true;
    }
  }
  return false;
}

// select(2) by poll(2), as the kernel does it. `sets` may be larger than an
// fd_set: programs that allocate their own are served too.
int select_by_poll(int count, fd_set* const (&sets)[3], int64_t deadline, const sigset_t* mask) {
  if (!are_readable(count, sets)) return fail_with(EFAULT);
  constexpr int word_bits = 8 * sizeof(fd_mask);
  const auto in_set = [&](int set, int fd) {
    return sets[set] != nullptr &&
           (static_cast<unsigned long>(__FDS_BITS(sets[set])[fd / word_bits]) >> (fd % word_bits) &
            1) != 0;
  };
  const auto events_of = [&](int fd) {
    short events = 0;
    for (int set = 0; set < 3; ++set) {
      if (in_set(set, fd)) events = static_cast<short>(events | set_events[set]);
    }
    return events;
  };
  nfds_t used = 0;
  for (int fd = 0; fd < count; ++fd) used += events_of(fd) != 0;
  const PollArray array(used);
  pollfd* const fds = array.data();
  if (fds == nullptr) return fail_with(ENOMEM);
  used = 0;
  for (int fd = 0; fd < count; ++fd) {
    if (const short events = events_of(fd); events != 0) fds[used++] = {fd, events, 0};
  }
  int result = await_readiness(fds, used, deadline, mask);
  if (result >= 0) {
    for (nfds_t i = 0; i < used; ++i) {
      if ((fds[i].revents & POLLNVAL) != 0) result = fail_with(EBADF);
    }
  }
  if (result >= 0) {
    result = 0;
    for (nfds_t i = 0; i < used; ++i) {
      for (int set = 0; set < 3; ++set) {
        if (!in_set(set, fds[i].fd)) continue;
        if ((fds[i].revents & set_events[set]) != 0) {
          ++result;
        } else {
          __FDS_BITS(sets[set])
          [fds[i].fd / word_bits] &= ~(fd_mask{1} << (fds[i].fd % word_bits));
        }
      }
    }
  }
  return result;
}

// The set behind an epoll descriptor, if it holds sockets of ours.
class WatchedSet {
 public:
  explicit WatchedSet(int epfd) : slot_(fd_table::find(epfd)) {}
  explicit operator bool() const { return slot_ && slot_.get()->kind() == Kind::epoll_set; }
  EpollSet& operator*() const { return static_cast<EpollSet&>(*slot_.get()); }

 private:
  SlotRef slot_;
};

int watch_set(int epfd) {
  if (epfd >= 0) epoll_created(epfd);
  return epfd;
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_poll(pollfd* fds, nfds_t count, int timeout) {
  if (!may_concern(fds, count)) return real::poll(fds, count, timeout);
  return await_readiness(fds, count, deadline_in(timeout), nullptr);
}
HOOK_ALIAS(__poll, poll)

int hook_ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  // libc's own reads it for the kernel, which reads it first.
  if (timeout != nullptr && !memory::can_read(timeout)) return fail_with(EFAULT);
  if ((timeout != nullptr && !is_valid(*timeout)) || !may_concern(fds, count))
    return real::ppoll(fds, count, timeout, mask);
  return await_readiness(fds, count, deadline_in(timeout), mask);
}

int hook___poll_chk(pollfd* fds, nfds_t count, int timeout, size_t room) {
  if (room / sizeof *fds < count) buffer_overflow();
  return hook_poll(fds, count, timeout);
}

int hook___ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask,
                     size_t room) {
  if (room / sizeof *fds < count) buffer_overflow();
  return hook_ppoll(fds, count, timeout, mask);
}

int hook_select(int count, fd_set* readable, fd_set* writable, fd_set* exceptional,
                timeval* timeout) {
  if (timeout != nullptr && !memory::can_read(timeout)) return fail_with(EFAULT);
  fd_set* const sets[3] = {readable, writable, exceptional};
  if (count < 0 || !any_in_sets(std::min(count, fd_table::highest() + 1), sets))
    return real::select(count, readable, writable, exceptional, timeout);
  if (timeout != nullptr && (timeout->tv_sec < 0 || timeout->tv_usec < 0)) return fail_with(EINVAL);
  int64_t deadline = forever;
  if (timeout != nullptr) {
    const timespec time{timeout->tv_sec, timeout->tv_usec * 1000};
    deadline = deadline_in(&time);
  }
  const int result = select_by_poll(clamp_to_table(count), sets, deadline, nullptr);
  if (timeout != nullptr) {
    // Linux leaves the time that was not slept.
    const timespec left = time_left(deadline);
    *timeout = {left.tv_sec, left.tv_nsec / 1000};
  }
  return result;
}
HOOK_ALIAS(__select, select)

int hook_pselect(int count, fd_set* readable, fd_set* writable, fd_set* exceptional,
                 const timespec* timeout, const sigset_t* mask) {
  if (timeout != nullptr && !memory::can_read(timeout)) return fail_with(EFAULT);
  fd_set* const sets[3] = {readable, writable, exceptional};
  if (count < 0 || (timeout != nullptr && !is_valid(*timeout)) ||
      !any_in_sets(std::min(count, fd_table::highest() + 1), sets)) {
    return real::pselect(count, readable, writable, exceptional, timeout, mask);
  }
  return select_by_poll(clamp_to_table(count), sets, deadline_in(timeout), mask);
}

int hook_epoll_create(int size) { return watch_set(real::epoll_create(size)); }
int hook_epoll_create1(int flags) { return watch_set(real::epoll_create1(flags)); }

int hook_epoll_ctl(int set, int operation, int fd, epoll_event* event) {
  if (!fd_table::has(fd) || (operation != EPOLL_CTL_DEL && !memory::can_read(event))) [[likely]]
    return real::epoll_ctl(set, operation, fd, event);
  const SlotRef slot = fd_table::find(fd);
  Connection* const connection = as_connection(slot);
  if (connection == nullptr) {
    if (slot && slot.get()->kind() == Kind::epoll_set && operation == EPOLL_CTL_ADD)
      epoll_nest(static_cast<EpollSet&>(*slot.get()), set);
    return real::epoll_ctl(set, operation, fd, event);
  }
  return epoll_control(set, operation, fd, *connection, event);
}

int hook_epoll_wait(int set, epoll_event* events, int count, int timeout) {
  if (!fd_table::has(set)) return real::epoll_wait(set, events, count, timeout);
  return hook_epoll_pwait(set, events, count, timeout, nullptr);
}

int hook_epoll_pwait(int set, epoll_event* events, int count, int timeout, const sigset_t* mask) {
  if (!fd_table::has(set)) return real::epoll_pwait(set, events, count, timeout, mask);
  const WatchedSet watched(set);
  if (!watched || count <= 0) return real::epoll_pwait(set, events, count, timeout, mask);
  if (!memory::can_read(events)) return fail_with(EFAULT);
  return epoll_await(*watched, set, events, count, deadline_in(timeout), mask);
}

int hook_epoll_pwait2(int set, epoll_event* events, int count, const timespec* timeout,
                      const sigset_t* mask) {
  if (!fd_table::has(set)) return real::epoll_pwait2(set, events, count, timeout, mask);
  const WatchedSet watched(set);
  if (!watched || count <= 0 ||
      (timeout != nullptr && (!memory::can_read(timeout) || !is_valid(*timeout)))) {
    return real::epoll_pwait2(set, events, count, timeout, mask);
  }
  if (!memory::can_read(events)) return fail_with(EFAULT);
  return epoll_await(*watched, set, events, count, deadline_in(timeout), mask, true);
}
