// Hooks: the life of descriptor numbers.
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <climits>

#include "shim/epoll_set.h"
#include "shim/hooks.h"
#include "shim/log.h"
#include "shim/process.h"
#include "shim/relay.h"

namespace gaiter::shim {
namespace {

// SO_LINGER with no time: the program wants a reset, not an end.
bool aborts(int fd) {
  linger option{};
  socklen_t length = sizeof option;
  return real::getsockopt(fd, SOL_SOCKET, SO_LINGER, &option, &length) == 0 &&
         option.l_onoff != 0 && option.l_linger == 0;
}

// What must be said before the kernel closes the last descriptor.
void before_close(int fd) {
  const SlotRef slot = fd_table::find(fd);
  Connection* const connection = as_connection(slot);
  if (connection == nullptr || descriptors(*slot.get()) != 1 || !connection->is_protected() ||
      aborts(fd)) {
    return;
  }
  connection->say_goodbye(fd, process::now() + goodbye_patience);
  connection->swallow_control(fd);
}

// Runs the kernel's `change` of `fd` (close, or a dup2 over it) with the entry
// out of the way: no other thread can meet the number half changed.
template <class Change>
int replace(int fd, Change change) {
  before_close(fd);
  Slot* const slot = fd_table::withdraw(fd);
  const int result = change();
  if (slot != nullptr) {
    const int saved_errno = errno;
    fd_table::settle(fd);
    leave(*slot, Slot::descriptor);
    errno = saved_errno;
  }
  return result;
}

// A second number for what `fd` leads to.
int share(int fd, int duplicate, bool close_on_exec) {
  if (duplicate < 0) return duplicate;
  const SlotRef slot = fd_table::find(fd);
  if (!slot) return duplicate;
  if (Connection* const connection = as_connection(slot)) connection->close_on_exec = close_on_exec;
  if (!fd_table::publish(duplicate, *slot.get())) {
    real::close(duplicate);
    return fail_with(ENOMEM);
  }
  return duplicate;
}

bool is_standard_stream(int fd) { return fd >= 0 && fd <= 2; }

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
  return replace(to, [&] { return real::dup3(fd, to, flags); });
}

int duplicate_over(int fd, int to, int flags, int (*kernel)(int, int, int)) {
  if (fd == to) return kernel(fd, to, flags);
  if (Protected(fd) && is_standard_stream(to)) return become_standard_stream(fd, to, flags);
  const Protected source(fd);
  if (process::memory_is_borrowed()) {
    // Before exec in a vfork child: the protected one must not get there.
    return source ? real::dup3(fd, to, flags | O_CLOEXEC) : kernel(fd, to, flags);
  }
  const int result = replace(
      to, [&] { return source ? real::dup3(fd, to, flags | O_CLOEXEC) : kernel(fd, to, flags); });
  if (result == 2) log::standard_error_moved();
  return share(fd, result, (flags & O_CLOEXEC) != 0);
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

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_close(int fd) {
  if (!fd_table::has(fd)) [[likely]]
    return real::close(fd);
  if (process::memory_is_borrowed()) return real::close(fd);
  return replace(fd, [fd] { return real::close(fd); });
}

int hook_close_range(unsigned first, unsigned last, int flags) {
  const int from = static_cast<int>(std::min<unsigned>(first, INT_MAX));
  const int to = static_cast<int>(std::min<unsigned>(last, INT_MAX));
  if ((flags & CLOSE_RANGE_CLOEXEC) == 0 && first <= last) close_all(from, to);
  return real::close_range(first, last, flags);
}

void hook_closefrom(int first) {
  close_all(std::max(first, 0), INT_MAX);
  real::closefrom(first);
}

int hook_dup(int fd) {
  if (!fd_table::has(fd)) [[likely]]
    return real::dup(fd);
  if (process::memory_is_borrowed() || !Protected(fd)) return share(fd, real::dup(fd), false);
  return share(fd, real::fcntl(fd, F_DUPFD_CLOEXEC, nullptr), false);
}

int hook_dup2(int fd, int to) {
  if (!fd_table::has(fd) && !fd_table::has(to)) [[likely]] {
    const int result = real::dup2(fd, to);
    if (result == 2) log::standard_error_moved();
    return result;
  }
  return duplicate_over(fd, to, 0, kernel_dup2);
}

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
  const bool duplicates = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
  const Protected connection(fd);
  if (duplicates && !process::memory_is_borrowed()) {
    return share(fd, real::fcntl(fd, connection ? F_DUPFD_CLOEXEC : command, argument),
                 command == F_DUPFD_CLOEXEC);
  }
  if (!connection) return real::fcntl(fd, command, argument);
  // The kernel's close-on-exec stays set; the program sees its own wish.
  if (command == F_GETFD) {
    const int flags = real::fcntl(fd, F_GETFD, nullptr);
    if (flags < 0) return flags;
    return connection->close_on_exec ? FD_CLOEXEC : 0;
  }
  if (command == F_SETFD) {
    connection->close_on_exec = (reinterpret_cast<long>(argument) & FD_CLOEXEC) != 0;
    return 0;
  }
  return real::fcntl(fd, command, argument);
}

int hook_fcntl64(int fd, int command, void* argument) { return hook_fcntl(fd, command, argument); }

int hook_ioctl(int fd, unsigned long request, void* argument) {
  if (!fd_table::has(fd)) [[likely]]
    return real::ioctl(fd, request, argument);
  const Protected connection(fd);
  if (!connection) return real::ioctl(fd, request, argument);
  if (request == FIONREAD) {
    if (argument == nullptr) return fail_with(EFAULT);
    *static_cast<int*>(argument) = static_cast<int>(connection->readable_bytes(fd));
    return 0;
  }
  const int result = real::ioctl(fd, request, argument);
  if (request == SIOCOUTQ && result == 0)
    *static_cast<int*>(argument) += static_cast<int>(connection->unsent_bytes());
  return result;
}
