// Hooks: the life of descriptor numbers.
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <climits>

#include "shim/epoll_set.h"
#include "shim/hooks.h"
#include "shim/kernel_users.h"
#include "shim/log.h"
#include "shim/parted_tables.h"
#include "shim/process.h"
#include "shim/refusal.h"
#include "shim/relay.h"

namespace gaiter::shim {
namespace {

// A dup2 over `to`, of what `source` holds or of a descriptor that is not ours,
// with the entry out of the way: no other thread can meet the number half changed.
template <class Kernel>
int replace(int fd, int to, int flags, const SlotRef& source, Kernel kernel) {
  // One that will fail leaves what it would have closed as it is.
  if (real::fcntl(fd, F_GETFD, nullptr) < 0) return -1;
  before_close(to);
  fd_table::Change change(to, source.get());
  const int result = kernel();
  const int saved_errno = errno;
  if (result < 0) {
    change.undo();
  } else if (source && !fd_table::leads_to(fd, *source.get())) {
    real::close(to);  // another thread closed `fd` meanwhile: who knows what was copied
    return fail_with(EBADF);
  } else {
    change.done((flags & O_CLOEXEC) != 0);
  }
  errno = saved_errno;
  return result;
}

// A second number, `duplicate`, for what `fd` led to before the kernel made it: `source`. Should
// another thread have closed `fd` meanwhile, nobody can know what was copied.
int share(int fd, const SlotRef& source, int duplicate, bool close_on_exec) {
  if (duplicate < 0) return duplicate;
  if (!source && !fd_table::has(fd)) return duplicate;
  if (!source || !fd_table::leads_to(fd, *source.get())) {
    real::close(duplicate);
    return fail_with(EBADF);
  }
  if (!fd_table::publish(duplicate, *source.get(), close_on_exec)) {
    real::close(duplicate);
    return fail_with(ENOMEM);
  }
  return duplicate;
}

// A copy of a protected one under a number that our tables, which are the parent's,
// cannot tell: what is written there would leave in clear.
int refuse_in_borrowed_memory() {
  return refuse_unsupported(EACCES,
                            "a protected connection was to be duplicated between vfork and exec");
}

bool is_standard_stream(int fd) { return fd >= 0 && fd <= 2; }

// dup or F_DUPFD of a protected one, which kernel() performs.
template <class Kernel>
int duplicate_protected(int fd, bool close_on_exec, Kernel kernel) {
  const SlotRef source = fd_table::find(fd);
  const int duplicate = kernel();
  if (duplicate < 0) return duplicate;
  if (is_standard_stream(duplicate)) {
    // As become_standard_stream(), but the kernel chose the number.
    const bool borrowed = process::memory_is_borrowed();
    const int end = borrowed ? start_relay(fd) : -1;
    if (borrowed ? end >= 0 : move_to_relay(fd) == 0) {
      real::dup3(borrowed ? end : fd, duplicate, close_on_exec ? O_CLOEXEC : 0);
      if (!borrowed) return share(fd, fd_table::find(fd), duplicate, close_on_exec);
      real::close(end);
      return duplicate;
    }
    const int error = errno;
    real::close(duplicate);
    return fail_with(error);
  }
  if (process::memory_is_borrowed()) {
    real::close(duplicate);
    return refuse_in_borrowed_memory();
  }
  return share(fd, source, duplicate, close_on_exec);
}

// dup2 onto 0, 1 or 2: the FILE behind that number, and the program that will be
// executed with it, read and write past every hook. A relay serves them.
int become_standard_stream(int fd, int to, int flags) {
  if (process::memory_is_borrowed()) {
    const int end = start_relay(fd);
    if (end < 0) return -1;
    const int result = real::dup3(end, to, flags);
    real::close(end);
    return result;
  }
  if (move_to_relay(fd) != 0) return -1;
  return replace(fd, to, flags, fd_table::find(fd), [&] { return real::dup3(fd, to, flags); });
}

int duplicate_over(int fd, int to, int flags, int (*kernel)(int, int, int)) {
  if (fd == to || (flags & ~O_CLOEXEC) != 0) return kernel(fd, to, flags);
  if (Protected(fd) && is_standard_stream(to)) return become_standard_stream(fd, to, flags);
  if (process::memory_is_borrowed())
    return Protected(fd) ? refuse_in_borrowed_memory() : kernel(fd, to, flags);
  const SlotRef source = fd_table::find(fd);
  const Connection* const connection = as_connection(source);
  const bool hide = connection != nullptr && connection->is_protected();
  const int result = replace(fd, to, flags, source, [&] {
    return hide ? real::dup3(fd, to, flags | O_CLOEXEC) : kernel(fd, to, flags);
  });
  if (result == 2) log::standard_error_moved();
  return result;
}

int kernel_dup2(int fd, int to, int) { return real::dup2(fd, to); }
int kernel_dup3(int fd, int to, int flags) { return real::dup3(fd, to, flags); }

void close_all(int first, int last) {
  if (process::memory_is_borrowed()) return;
  struct Range {
    int first, last;
  } range{first, last};
  fd_table::for_each(
      [](int fd, Slot&, void* context) {
        const auto* const limits = static_cast<const Range*>(context);
        if (fd >= limits->first && fd <= limits->last) hook_close(fd);
      },
      &range);
}

void mark_all_close_on_exec(int first, int last) {
  if (process::memory_is_borrowed()) return;
  for (int fd = first; fd <= last && fd <= fd_table::highest(); ++fd) {
    fd_table::set_close_on_exec(fd, true);
  }
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_close(int fd) {
  if (!fd_table::has(fd)) [[likely]]
    return real::close(fd);
  if (process::memory_is_borrowed()) return real::close(fd);
  before_close(fd);
  const fd_table::Change change(fd);  // whatever close(2) says, the number is free
  return real::close(fd);
}
HOOK_ALIAS(__close, close)

int hook_close_range(unsigned first, unsigned last, int flags) {
  const int from = static_cast<int>(std::min<unsigned>(first, INT_MAX));
  const int to = static_cast<int>(std::min<unsigned>(last, INT_MAX));
  constexpr int known = CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE;
  if ((flags & ~known) != 0) return real::close_range(first, last, flags);  // EINVAL
  if (refuse_parted_close_range(flags) != 0) return -1;
  if ((flags & CLOSE_RANGE_CLOEXEC) != 0) {
    mark_all_close_on_exec(from, to);
  } else if (first <= last) {
    close_all(from, to);
  }
  return real::close_range(first, last, flags);
}

void hook_closefrom(int first) {
  close_all(std::max(first, 0), INT_MAX);
  real::closefrom(first);
}

int hook_dup(int fd) {
  if (!fd_table::has(fd)) [[likely]]
    return real::dup(fd);
  if (Protected(fd))
    return duplicate_protected(fd, false,
                               [&] { return real::fcntl(fd, F_DUPFD_CLOEXEC, nullptr); });
  if (process::memory_is_borrowed()) return real::dup(fd);
  const SlotRef source = fd_table::find(fd);
  return share(fd, source, real::dup(fd), false);
}

int hook_dup2(int fd, int to) {
  if (!fd_table::has(fd) && !fd_table::has(to)) [[likely]] {
    const int result = real::dup2(fd, to);
    if (result == 2) log::standard_error_moved();
    return result;
  }
  return duplicate_over(fd, to, 0, kernel_dup2);
}
HOOK_ALIAS(__dup2, dup2)

int hook_dup3(int fd, int to, int flags) {
  if (!fd_table::has(fd) && !fd_table::has(to)) [[likely]] {
    const int result = real::dup3(fd, to, flags);
    if (result == 2) log::standard_error_moved();
    return result;
  }
  return duplicate_over(fd, to, flags, kernel_dup3);
}

int hook_fcntl(int fd, int command, void* argument) {
  if (!fd_table::has(fd)) [[likely]]
    return real::fcntl(fd, command, argument);
  const Protected connection(fd);
  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
    const bool close_on_exec = command == F_DUPFD_CLOEXEC;
    if (connection) {
      return duplicate_protected(fd, close_on_exec,
                                 [&] { return real::fcntl(fd, F_DUPFD_CLOEXEC, argument); });
    }
    if (process::memory_is_borrowed()) return real::fcntl(fd, command, argument);
    const SlotRef source = fd_table::find(fd);
    return share(fd, source, real::fcntl(fd, command, argument), close_on_exec);
  }
  if (!connection) return real::fcntl(fd, command, argument);
  // The kernel's close-on-exec stays set; the program sees its own wish.
  if (command == F_GETFD) {
    const int flags = real::fcntl(fd, F_GETFD, nullptr);
    if (flags < 0) return flags;
    return fd_table::close_on_exec(fd) ? FD_CLOEXEC : 0;
  }
  if (command == F_SETFD) {
    fd_table::set_close_on_exec(fd, (reinterpret_cast<long>(argument) & FD_CLOEXEC) != 0);
    return 0;
  }
  return real::fcntl(fd, command, argument);
}
HOOK_ALIAS(__fcntl, fcntl)

int hook_fcntl64(int fd, int command, void* argument) { return hook_fcntl(fd, command, argument); }

int hook_ioctl(int fd, unsigned long request, void* argument) {
  if (kernel_users::refuses_ioctl(request, argument)) return -1;
  if (!fd_table::has(fd)) [[likely]]
    return real::ioctl(fd, request, argument);
  const Protected connection(fd);
  if (!connection) return real::ioctl(fd, request, argument);
  // As F_SETFD: what an exec would carry on with would be clear.
  if (request == FIOCLEX || request == FIONCLEX) {
    fd_table::set_close_on_exec(fd, request == FIOCLEX);
    return 0;
  }
  if (request == FIONREAD) {
    if (real::ioctl(fd, request, argument) != 0) return -1;  // judges the pointer
    *static_cast<int*>(argument) = static_cast<int>(connection->readable_bytes(fd));
    return 0;
  }
  const bool counts_unsent = request == SIOCOUTQ || request == SIOCOUTQNSD;
  // Who asks until it is 0 may call nothing else meanwhile.
  if (counts_unsent && connection->output_waits()) connection->ready(fd, POLLOUT, POLLOUT);
  const int result = real::ioctl(fd, request, argument);
  if (counts_unsent && result == 0)
    *static_cast<int*>(argument) += static_cast<int>(connection->unsent_bytes());
  return result;
}

int hook_fstat(int fd, struct stat* status) {
  if (fd_table::has(fd)) relay_before_identity(fd);
  return real::fstat(fd, status);
}
HOOK_ALIAS(fstat64, fstat)
