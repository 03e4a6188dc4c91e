// Hooks: bytes out. Nothing here may reach a protected socket but through
// Connection::transmit.
#include <climits>

#include "shim/adoption.h"
#include "shim/decision.h"
#include "shim/dns_sockets.h"
#include "shim/hooks.h"
#include "shim/tcp.h"

namespace gaiter::shim {
namespace {

using engine::IovCursor;

// `vectored`: writev(2) and its kin, for which nothing to send is nothing to do.
ssize_t give(int fd, Connection& connection, const iovec* iov, size_t count, int flags,
             bool vectored = false) {
  if ((flags & MSG_OOB) != 0) return fail_with(EOPNOTSUPP);
  if ((flags & MSG_ZEROCOPY) != 0) return fail_with(EOPNOTSUPP);
  const ssize_t total = sendable_length(iov, count);
  if (total < 0) return -1;
  const auto length = static_cast<size_t>(total);
  if (length == 0 && vectored) return 0;
  return connection.transmit(fd, IovCursor(iov, count), length, flags);
}

ssize_t give(int fd, Connection& connection, const void* buffer, size_t length, int flags) {
  const iovec piece{const_cast<void*>(buffer), std::min<size_t>(length, SSIZE_MAX)};
  return give(fd, connection, &piece, 1, flags);
}

// TCP Fast Open would send the program's bytes with the SYN: programs take
// EOPNOTSUPP for a kernel without it and connect. Also on a socket that no hook saw come: it
// was inherited, or is older than the rule.
bool is_fast_open(int fd, int flags) {
  return (flags & MSG_FASTOPEN) != 0 && is_tcp(fd) && concerned(policy::Direction::outbound);
}

// Whether what a message's header names is as the kernel wants it, of which TCP looks at the
// data alone. Else errno.
bool is_sound(const msghdr* message) {
  int error = 0;
  if (!memory::can_read(message) ||
      !memory::can_read(message->msg_control, message->msg_controllen))
    error = EFAULT;
  else if (message->msg_name != nullptr && static_cast<int>(message->msg_namelen) < 0)
    error = EINVAL;
  else if (message->msg_name != nullptr &&
           !memory::can_read(message->msg_name,
                             std::min<size_t>(message->msg_namelen, sizeof(sockaddr_storage))))
    error = EFAULT;
  if (error != 0) errno = error;
  return error == 0;
}

// The way of a descriptor that Gaiter knows nothing of.
bool is_foreign(int fd, int flags) { return !fd_table::has(fd) && (flags & MSG_FASTOPEN) == 0; }

// Messages may carry descriptors (unix(7)). What may not be read the kernel will not take either.
ssize_t pass_message(int fd, const msghdr* message, int flags) {
  const bool carries = memory::can_read(message) && message->msg_controllen != 0;
  if (carries && !pass_on(*message)) return -1;
  const ssize_t sent = real::sendmsg(fd, message, flags);
  if (carries && sent < 0) take_back(*message);
  return sent;
}

int pass_messages(int fd, mmsghdr* messages, unsigned count, int flags) {
  unsigned ready = 0;
  bool refused = false;
  while (!refused && ready < count && memory::can_read(&messages[ready])) {
    refused = !pass_on(messages[ready].msg_hdr);
    if (!refused) ++ready;
  }
  if (refused && ready == 0) return -1;
  const int sent = real::sendmmsg(fd, messages, refused ? ready : count, flags);
  for (auto i = static_cast<unsigned>(std::max(sent, 0)); i < ready; ++i)
    take_back(messages[i].msg_hdr);
  return sent;
}

void note_destination(int fd, const msghdr* message) {
  if (memory::can_read(message) && message->msg_name != nullptr &&
      memory::can_read(message->msg_name, message->msg_namelen))
    dns_sockets::note_destination(fd, static_cast<const sockaddr*>(message->msg_name),
                                  message->msg_namelen);
}

// Apart, so that the way to a foreign descriptor needs no stack of its own.
[[gnu::noinline]] ssize_t write_ours(int fd, const void* buffer, size_t length) {
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  return connection ? give(fd, *connection, buffer, length, 0) : real::write(fd, buffer, length);
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

ssize_t hook_write(int fd, const void* buffer, size_t length) {
  if (!fd_table::has(fd)) [[likely]]
    return real::write(fd, buffer, length);
  return write_ours(fd, buffer, length);
}
HOOK_ALIAS(__write, write)

ssize_t hook_send(int fd, const void* buffer, size_t length, int flags) {
  if (is_foreign(fd, flags)) [[likely]]
    return real::send(fd, buffer, length, flags);
  return hook_sendto(fd, buffer, length, flags, nullptr, 0);
}
HOOK_ALIAS(__send, send)

ssize_t hook_sendto(int fd, const void* buffer, size_t length, int flags, const sockaddr* to,
                    socklen_t to_length) {
  if (to != nullptr && memory::can_read(to, to_length))
    dns_sockets::note_destination(fd, to, to_length);
  if (is_foreign(fd, flags)) [[likely]]
    return real::sendto(fd, buffer, length, flags, to, to_length);
  const Traffic connection(fd);
  if (connection) {
    // TCP goes nowhere else, but the kernel reads the address first.
    if (to != nullptr && to_length > sizeof(sockaddr_storage)) return fail_with(EINVAL);
    if (to != nullptr && !memory::can_read(to, to_length)) return fail_with(EFAULT);
    return give(fd, *connection, buffer, length, flags);
  }
  if (is_fast_open(fd, flags)) return fail_with(EOPNOTSUPP);
  if (connection.is_refused()) return -1;
  return real::sendto(fd, buffer, length, flags, to, to_length);
}

ssize_t hook_writev(int fd, const iovec* iov, int count) {
  if (!fd_table::has(fd)) [[likely]]
    return real::writev(fd, iov, count);
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  if (!connection) return real::writev(fd, iov, count);
  if (count < 0 || count > IOV_MAX) return fail_with(EINVAL);
  return give(fd, *connection, iov, static_cast<size_t>(count), 0, true);
}

ssize_t hook_pwritev2(int fd, const iovec* iov, int count, off_t offset, int flags) {
  if (!fd_table::has(fd)) [[likely]]
    return real::pwritev2(fd, iov, count, offset, flags);
  const Traffic connection(fd);
  if (connection.is_refused()) return -1;
  if (!connection) return real::pwritev2(fd, iov, count, offset, flags);
  if (offset != -1) return fail_with(ESPIPE);
  if (count < 0 || count > IOV_MAX) return fail_with(EINVAL);
  return give(fd, *connection, iov, static_cast<size_t>(count),
              (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0, true);
}

ssize_t hook_pwritev64v2(int fd, const iovec* iov, int count, off64_t offset, int flags) {
  return hook_pwritev2(fd, iov, count, offset, flags);
}

ssize_t hook_sendmsg(int fd, const msghdr* message, int flags) {
  note_destination(fd, message);
  const Traffic connection(fd);
  if (!connection) {
    if (is_fast_open(fd, flags)) return fail_with(EOPNOTSUPP);
    return connection.is_refused() ? -1 : pass_message(fd, message, flags);
  }
  if (!is_sound(message)) return -1;
  return give(fd, *connection, message->msg_iov, message->msg_iovlen, flags);
}

int hook_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  count = std::min<unsigned>(count, IOV_MAX);  // as the kernel: UIO_MAXIOV
  if (count != 0 && memory::can_read(messages)) note_destination(fd, &messages->msg_hdr);
  const Traffic connection(fd);
  if (!connection) {
    if (is_fast_open(fd, flags)) return fail_with(EOPNOTSUPP);
    return connection.is_refused() ? -1 : pass_messages(fd, messages, count, flags);
  }
  unsigned done = 0;
  while (done < count && is_sound(&messages[done].msg_hdr)) {
    const msghdr& message = messages[done].msg_hdr;
    const ssize_t sent = give(fd, *connection, message.msg_iov, message.msg_iovlen, flags);
    if (sent < 0) break;
    messages[done++].msg_len = static_cast<unsigned>(sent);
    size_t wanted = 0;
    for (size_t i = 0; i < message.msg_iovlen; ++i) wanted += message.msg_iov[i].iov_len;
    if (static_cast<size_t>(sent) < wanted) break;  // what follows must not overtake
  }
  return done != 0 || count == 0 ? static_cast<int>(done) : -1;
}

ssize_t hook_sendfile(int out, int in, off_t* offset, size_t count) {
  if (!fd_table::has(out) && !fd_table::has(in)) [[likely]]
    return real::sendfile(out, in, offset, count);
  if (Protected(in)) return fail_with(EINVAL);  // as for any input that cannot be mapped
  const Traffic connection(out);
  if (connection.is_refused()) return -1;
  if (!connection) return real::sendfile(out, in, offset, count);
  if (offset != nullptr && !memory::can_read(offset)) return fail_with(EFAULT);
  return connection->transmit_file(out, in, offset, count);
}

ssize_t hook_sendfile64(int out, int in, off64_t* offset, size_t count) {
  return hook_sendfile(out, in, offset, count);
}

ssize_t hook_splice(int in, off64_t* in_offset, int out, off64_t* out_offset, size_t length,
                    unsigned flags) {
  const int both[] = {in, out};
  for (const int fd : both) {
    if (!fd_table::has(fd)) continue;
    const Traffic connection(fd);
    if (connection.is_refused()) return -1;
    // Programs take EINVAL for a file that cannot be spliced, and copy.
    if (connection) return fail_with(EINVAL);
  }
  return real::splice(in, in_offset, out, out_offset, length, flags);
}
