// Hooks: processes come and go, and go past libc.
#include <linux/seccomp.h>
#include <sched.h>
#include <unistd.h>

#include "shim/core.h"
#include "shim/decision.h"
#include "shim/hooks.h"
#include "shim/kernel_users.h"
#include "shim/names.h"
#include "shim/new_process.h"
#include "shim/parted_tables.h"
#include "shim/relay.h"
#include "shim/start.h"

extern "C" int io_submit(void* context, long count, void** blocks);

namespace gaiter::shim {
namespace {

template <class T>
T* pointer(long word) {
  return reinterpret_cast<T*>(word);
}

// In the parent, behind its fork handlers.
void note_child(long child) {
  if (child < 0) {
    fd_table::undo_fork();
  } else {
    fd_table::child_is(static_cast<int>(child));
  }
}

// The child of a bare clone(2), vsftpd's way into namespaces of its own. One with a
// stack of its own does not come back to here, and one in our memory is as vfork's.
long fork_by_syscall(long number, long a, long b, long c, long d, long e) {
  if (refuse_parted_clone(static_cast<unsigned long>(a)) != 0) return -1;
  if ((a & CLONE_VM) != 0 || b != 0) return real::syscall(number, a, b, c, d, e, 0);
  before_fork();
  const long child = real::syscall(number, a, b, c, d, e, 0);
  const int saved_errno = errno;
  if (child == 0) {
    after_fork_in_child();
  } else {
    after_fork_in_parent();
    note_child(child);
  }
  errno = saved_errno;
  return child;
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

pid_t hook_fork() {
  const pid_t child = real::fork();
  const int saved_errno = errno;
  if (child != 0) note_child(child);
  errno = saved_errno;
  return child;
}

HOOK_ALIAS(__fork, fork)

// No fork handlers run, of libc's malloc among them: here those of the shim do that
// a child needs to close and use what it inherits.
pid_t hook__Fork() {
  core::before_fork();
  names::before_fork();
  fd_table::freeze_for_fork();
  const pid_t child = real::_Fork();
  const int saved_errno = errno;
  if (child == 0) {
    core::after_fork_in_child();
    begin_child();
  } else {
    fd_table::thaw_in_parent();
    core::after_fork_in_parent();
    note_child(child);
  }
  errno = saved_errno;
  return child;
}

void hook__exit(int status) {
  end_process();
  real::_exit(status);
  __builtin_unreachable();
}

void hook__Exit(int status) { hook__exit(status); }

// syscall(2) is libc's way past libc: calls on descriptors go where the named
// functions go, all others through.
long hook_syscall(long number, long a, long b, long c, long d, long e, long f) {
  const int fd = static_cast<int>(a);
  switch (number) {
    case SYS_close:
      return hook_close(fd);
    case SYS_close_range:
      return hook_close_range(static_cast<unsigned>(a), static_cast<unsigned>(b),
                              static_cast<int>(c));
    case SYS_read:
      return hook_read(fd, pointer<void>(b), static_cast<size_t>(c));
    case SYS_write:
      return hook_write(fd, pointer<void>(b), static_cast<size_t>(c));
    case SYS_readv:
      return hook_readv(fd, pointer<iovec>(b), static_cast<int>(c));
    case SYS_writev:
      return hook_writev(fd, pointer<iovec>(b), static_cast<int>(c));
    // The offset comes in halves, of which 64 bits need only the first.
    case SYS_preadv2:
      return hook_preadv2(fd, pointer<iovec>(b), static_cast<int>(c), d, static_cast<int>(f));
    case SYS_pwritev2:
      return hook_pwritev2(fd, pointer<iovec>(b), static_cast<int>(c), d, static_cast<int>(f));
    case SYS_recvfrom:
      return hook_recvfrom(fd, pointer<void>(b), static_cast<size_t>(c), static_cast<int>(d),
                           pointer<sockaddr>(e), pointer<socklen_t>(f));
    case SYS_sendto:
      return hook_sendto(fd, pointer<void>(b), static_cast<size_t>(c), static_cast<int>(d),
                         pointer<sockaddr>(e), static_cast<socklen_t>(f));
    case SYS_recvmsg:
      return hook_recvmsg(fd, pointer<msghdr>(b), static_cast<int>(c));
    case SYS_sendmsg:
      return hook_sendmsg(fd, pointer<msghdr>(b), static_cast<int>(c));
    case SYS_recvmmsg:
      return hook_recvmmsg(fd, pointer<mmsghdr>(b), static_cast<unsigned>(c), static_cast<int>(d),
                           pointer<timespec>(e));
    case SYS_sendmmsg:
      return hook_sendmmsg(fd, pointer<mmsghdr>(b), static_cast<unsigned>(c), static_cast<int>(d));
    case SYS_sendfile:
      return hook_sendfile(fd, static_cast<int>(b), pointer<off_t>(c), static_cast<size_t>(d));
    case SYS_splice:
      return hook_splice(fd, pointer<off64_t>(b), static_cast<int>(c), pointer<off64_t>(d),
                         static_cast<size_t>(e), static_cast<unsigned>(f));
    case SYS_socket:
      return hook_socket(fd, static_cast<int>(b), static_cast<int>(c));
    case SYS_connect:
      return hook_connect(fd, pointer<sockaddr>(b), static_cast<socklen_t>(c));
    case SYS_accept:
      return hook_accept(fd, pointer<sockaddr>(b), pointer<socklen_t>(c));
    case SYS_accept4:
      return hook_accept4(fd, pointer<sockaddr>(b), pointer<socklen_t>(c), static_cast<int>(d));
    case SYS_listen:
      return hook_listen(fd, static_cast<int>(b));
    case SYS_getsockname:
      return hook_getsockname(fd, pointer<sockaddr>(b), pointer<socklen_t>(c));
    case SYS_getpeername:
      return hook_getpeername(fd, pointer<sockaddr>(b), pointer<socklen_t>(c));
    case SYS_shutdown:
      return hook_shutdown(fd, static_cast<int>(b));
    case SYS_getsockopt:
      return hook_getsockopt(fd, static_cast<int>(b), static_cast<int>(c), pointer<void>(d),
                             pointer<socklen_t>(e));
    case SYS_setsockopt:
      return hook_setsockopt(fd, static_cast<int>(b), static_cast<int>(c), pointer<void>(d),
                             static_cast<socklen_t>(e));
    case SYS_dup:
      return hook_dup(fd);
    case SYS_dup3:
      return hook_dup3(fd, static_cast<int>(b), static_cast<int>(c));
    case SYS_fcntl:
      return hook_fcntl(fd, static_cast<int>(b), pointer<void>(c));
    case SYS_ioctl:
      return hook_ioctl(fd, static_cast<unsigned long>(b), pointer<void>(c));
    case SYS_epoll_ctl:
      return hook_epoll_ctl(fd, static_cast<int>(b), static_cast<int>(c), pointer<epoll_event>(d));
    case SYS_epoll_pwait:
      return hook_epoll_pwait(fd, pointer<epoll_event>(b), static_cast<int>(c), static_cast<int>(d),
                              pointer<sigset_t>(e));
    case SYS_epoll_pwait2:
      return hook_epoll_pwait2(fd, pointer<epoll_event>(b), static_cast<int>(c),
                               pointer<timespec>(d), pointer<sigset_t>(e));
    case SYS_epoll_create1:
      return hook_epoll_create1(fd);
    case SYS_ppoll:
      return hook_ppoll(pointer<pollfd>(a), static_cast<nfds_t>(b), pointer<timespec>(c),
                        pointer<sigset_t>(d));
    case SYS_pselect6: {
      const auto* const mask = pointer<const sigset_t* const>(f);  // and its size
      if (mask != nullptr && !memory::can_read(mask, 2 * sizeof(long))) return fail_with(EFAULT);
      return hook_pselect(fd, pointer<fd_set>(b), pointer<fd_set>(c), pointer<fd_set>(d),
                          pointer<timespec>(e), mask != nullptr ? *mask : nullptr);
    }
#ifdef __x86_64__
    case SYS_epoll_create:
      return hook_epoll_create(fd);
    case SYS_select:
      return hook_select(fd, pointer<fd_set>(b), pointer<fd_set>(c), pointer<fd_set>(d),
                         pointer<timeval>(e));
    case SYS_dup2:
      return hook_dup2(fd, static_cast<int>(b));
    case SYS_poll:
      return hook_poll(pointer<pollfd>(a), static_cast<nfds_t>(b), static_cast<int>(c));
    case SYS_epoll_wait:
      return hook_epoll_wait(fd, pointer<epoll_event>(b), static_cast<int>(c), static_cast<int>(d));
#endif
    case SYS_prctl:
      return hook_prctl(static_cast<int>(a), static_cast<unsigned long>(b),
                        static_cast<unsigned long>(c), static_cast<unsigned long>(d),
                        static_cast<unsigned long>(e));
    case SYS_seccomp:
      if (a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER) prepare_for_filter();
      break;
    case SYS_capset:
      return hook_capset(pointer<void>(a), pointer<void>(b));
    case SYS_chroot:
      return hook_chroot(pointer<char>(a));
    case SYS_setuid:
      return hook_setuid(static_cast<uid_t>(a));
    case SYS_setreuid:
      return hook_setreuid(static_cast<uid_t>(a), static_cast<uid_t>(b));
    case SYS_setresuid:
      return hook_setresuid(static_cast<uid_t>(a), static_cast<uid_t>(b), static_cast<uid_t>(c));
    case SYS_clone:
      return fork_by_syscall(number, a, b, c, d, e);
    case SYS_clone3:
      // Its first word has the flags.
      if (may_be_memory(pointer<void>(a)) &&
          refuse_parted_clone(*pointer<const unsigned long>(a)) != 0) {
        return -1;
      }
      break;
    case SYS_unshare:
      return hook_unshare(fd);
    case SYS_pidfd_getfd:
      return hook_pidfd_getfd(fd, static_cast<int>(b), static_cast<unsigned>(c));
    case SYS_execve:
      return hook_execve(pointer<char>(a), pointer<char*>(b), pointer<char*>(c));
    case SYS_execveat:
      return hook_execveat(fd, pointer<char>(b), pointer<char*>(c), pointer<char*>(d),
                           static_cast<int>(e));
    case SYS_exit_group:
      hook__exit(fd);
      break;
    case SYS_io_submit: {
      const int result = io_submit(pointer<void>(a), b, pointer<void*>(c));
      return result < 0 ? fail_with(-result) : result;
    }
    case SYS_bpf:
      if (kernel_users::refuses_bpf(a, pointer<void>(b), static_cast<size_t>(c))) return -1;
      break;
    case SYS_io_uring_setup:
    case SYS_io_uring_enter:
    case SYS_io_uring_register:
      // A ring reads and writes sockets in the kernel, past everything; programs
      // take ENOSYS for a kernel without it.
      if (follows_policy()) return fail_with(ENOSYS);
      break;
    default:
      break;
  }
  return real::syscall(number, a, b, c, d, e, f);
}
