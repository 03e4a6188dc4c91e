// Hooks: bytes in.
#include <climits>

#include "shim/adoption.h"
#include "shim/clock.h"
#include "shim/dns_sockets.h"
#include "shim/hooks.h"
#include "shim/process.h"

namespace gaiter::shim {
namespace {

using engine::IovCursor;

// MSG_TRUNC on TCP: takes bytes off the stream without storing them (tcp(7)).
ssize_t discard(int fd, Connection& connection, size_t length, int flags) {
  uint8_t waste[4096];
  size_t total = 0;
  while (total < length) {
    iovec piece{waste, std::min(length - total, sizeof waste)};
    const int later = total == 0 || (flags & MSG_WAITALL) != 0 ? 0 : MSG_DONTWAIT;
    const ssize_t got = connection.receive(fd, IovCursor(&piece, 1), flags | later);
    if (got <= 0) return total != 0 ? static_cast<ssize_t>(total) : got;
    total += static_cast<size_t>(got);
    if (static_cast<size_t>(got) < piece.iov_len) break;
  }
  return static_cast<ssize_t>(total);
}

// `vectored`: readv(2) and its kin, for which nothing to fill is nothing to do.
ssize_t take(int fd, Connection& connection, const iovec* iov, size_t count, int flags,
             bool vectored = false) {
  if ((flags & MSG_OOB) != 0) return fail_with(EOPNOTSUPP);
  const ssize_t total = total_length(iov, count);
  if (total < 0) return -1;
  const auto length = static_cast<size_t>(total);
  if (length == 0 && vectored) return 0;
  if ((flags & (MSG_TRUNC | MSG_PEEK)) == MSG_TRUNC)
    return discard(fd, connection, length, flags & ~MSG_TRUNC);
  return connection.receive(fd, IovCursor(iov, count), flags);
}

ssize_t take(int fd, Connection& connection, void* buffer, size_t length, int flags) {
  const iovec piece{buffer, std::min<size_t>(length, SSIZE_MAX)};
  if ((flags & MSG_TRUNC) != 0 && (flags & MSG_OOB) == 0) {
    if ((flags & MSG_PEEK) == 0) return discard(fd, connection, length, flags & ~MSG_TRUNC);
    return connection.count(fd, length, flags);
  }
  return take(fd, connection, &piece, 1, flags);
}

// recv(2) of no bytes still waits until there are some; read(2) does not.
ssize_t take_nothing(int fd, Connection& connection, int flags) {
  uint8_t byte;
  const ssize_t got = take(fd, connection, &byte, 1, flags | MSG_PEEK);
  return std::min<ssize_t>(got, 0);
}

ssize_t take_message(int fd, Connection& connection, msghdr* message, int flags) {
  if (!memory::can_read(message)) return fail_with(EFAULT);
  if (message->msg_name != nullptr && static_cast<int>(message->msg_namelen) < 0)
    return fail_with(EINVAL);
  const ssize_t got = take(fd, connection, message->msg_iov, message->msg_iovlen, flags);
  if (got >= 0) {
    if (message->msg_name != nullptr) message->msg_namelen = 0;  // as TCP does
    message->msg_controllen = 0;
    message->msg_flags = flags & MSG_CMSG_CLOEXEC;
  }
  return got;
}

// Messages bring descriptors (unix(7)).
ssize_t receive_foreign(int fd, msghdr* message, int flags) {
  const ssize_t got = dns_sockets::recvmsg(fd, message, flags);
  if (got >= 0 && message->msg_controllen != 0) adopt_received(*message, flags);
  return got;
}

int receive_foreign(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  const int got = dns_sockets::recvmmsg(fd, messages, count, flags, timeout);
  for (int i = 0; i < got; ++i) {
    if (messages[i].msg_hdr.msg_controllen != 0) adopt_received(messages[i].msg_hdr, flags);
  }
  return got;
}

// Apart, so that the way to a foreign descriptor needs no stack of its own.
[[gnu::noinline]] ssize_t read_ours(int fd, void* buffer, size_t length) {
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  if (!connection) return dns_sockets::read(fd, buffer, length);
  return length == 0 ? 0 : take(fd, *connection, buffer, length, 0);
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

ssize_t hook_read(int fd, void* buffer, size_t length) {
  if (!fd_table::has(fd)) [[likely]]
    return dns_sockets::read(fd, buffer, length);
  return read_ours(fd, buffer, length);
}
HOOK_ALIAS(__read, read)

ssize_t hook_recv(int fd, void* buffer, size_t length, int flags) {
  if (!fd_table::has(fd)) [[likely]]
    return dns_sockets::recv(fd, buffer, length, flags);
  return hook_recvfrom(fd, buffer, length, flags, nullptr, nullptr);
}

ssize_t hook_recvfrom(int fd, void* buffer, size_t length, int flags, sockaddr* from,
                      socklen_t* from_length) {
  if (!fd_table::has(fd)) [[likely]]
    return dns_sockets::recvfrom(fd, buffer, length, flags, from, from_length);
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  if (!connection || (flags & MSG_ERRQUEUE) != 0)
    return dns_sockets::recvfrom(fd, buffer, length, flags, from, from_length);
  const ssize_t got = length != 0 ? take(fd, *connection, buffer, length, flags)
                                  : take_nothing(fd, *connection, flags);
  // TCP tells no address, after the data: its length, which must be sound.
  if (got < 0 || from == nullptr) return got;
  if (!memory::can_read(from_length)) return fail_with(EFAULT);
  if (static_cast<int>(*from_length) < 0) return fail_with(EINVAL);
  if (!memory::can_write(fd, from_length)) return fail_with(EFAULT);
  *from_length = 0;
  return got;
}

ssize_t hook_readv(int fd, const iovec* iov, int count) {
  if (!fd_table::has(fd)) [[likely]]
    return real::readv(fd, iov, count);
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  if (!connection) return real::readv(fd, iov, count);
  if (count < 0 || count > IOV_MAX) return fail_with(EINVAL);
  return take(fd, *connection, iov, static_cast<size_t>(count), 0, true);
}

ssize_t hook_preadv2(int fd, const iovec* iov, int count, off_t offset, int flags) {
  if (!fd_table::has(fd)) [[likely]]
    return real::preadv2(fd, iov, count, offset, flags);
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  if (!connection) return real::preadv2(fd, iov, count, offset, flags);
  if (offset != -1) return fail_with(ESPIPE);
  if (count < 0 || count > IOV_MAX) return fail_with(EINVAL);
  return take(fd, *connection, iov, static_cast<size_t>(count),
              (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0, true);
}

ssize_t hook_preadv64v2(int fd, const iovec* iov, int count, off64_t offset, int flags) {
  return hook_preadv2(fd, iov, count, offset, flags);
}

ssize_t hook_recvmsg(int fd, msghdr* message, int flags) {
  if (!fd_table::has(fd)) [[likely]]
    return receive_foreign(fd, message, flags);
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  if (!connection || (flags & MSG_ERRQUEUE) != 0) return receive_foreign(fd, message, flags);
  return take_message(fd, *connection, message, flags);
}

int hook_recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  if (!fd_table::has(fd)) [[likely]]
    return receive_foreign(fd, messages, count, flags, timeout);
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  if (!connection) return receive_foreign(fd, messages, count, flags, timeout);
  // As the kernel: the time is looked at after each message, and only then.
  if (timeout != nullptr && !memory::can_read(timeout)) return fail_with(EFAULT);
  if (timeout != nullptr && !is_valid(*timeout)) return fail_with(EINVAL);
  const int64_t until = deadline_in(timeout);
  count = std::min<unsigned>(count, IOV_MAX);
  unsigned done = 0;
  while (done < count) {
    if (!memory::can_read(&messages[done])) {
      errno = EFAULT;
      break;
    }
    int how = flags & ~MSG_WAITFORONE;
    if (done != 0 && (flags & MSG_WAITFORONE) != 0) how |= MSG_DONTWAIT;
    const ssize_t got = take_message(fd, *connection, &messages[done].msg_hdr, how);
    if (got < 0) break;
    messages[done++].msg_len = static_cast<unsigned>(got);
    if (process::now() >= until) break;
  }
  if (timeout != nullptr && until != forever) *timeout = time_left(until);
  return done != 0 ? static_cast<int>(done) : -1;
}

ssize_t hook___read_chk(int fd, void* buffer, size_t length, size_t room) {
  if (length > room) buffer_overflow();
  return hook_read(fd, buffer, length);
}

ssize_t hook___recv_chk(int fd, void* buffer, size_t length, size_t room, int flags) {
  if (length > room) buffer_overflow();
  return hook_recv(fd, buffer, length, flags);
}

ssize_t hook___recvfrom_chk(int fd, void* buffer, size_t length, size_t room, int flags,
                            sockaddr* from, socklen_t* from_length) {
  if (length > room) buffer_overflow();
  return hook_recvfrom(fd, buffer, length, flags, from, from_length);
}
