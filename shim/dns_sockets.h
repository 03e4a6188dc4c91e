// Sockets on which a program asks name servers itself (c-ares, nginx, HAProxy): what comes
// from port 53 is read in passing, so that its connections have names.
//
// A socket is looked at from the first time that it is connected to port 53, or sends there.
// An answer to a question that nobody asked could be slipped in by whoever can send the program a
// datagram from that port; it would add a name, and so cost connections, never their peer.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <atomic>

#include "shim/real.h"

namespace gaiter::shim::dns_sockets {

// The program connects `fd` to `address`, or sends to it.
void note_destination(int fd, const sockaddr* address, socklen_t length);

extern std::atomic<bool> exist;
bool is_one(int fd);

// For all other descriptors it costs a load, or two.
inline bool has(int fd) { return exist.load(std::memory_order_relaxed) && is_one(fd); }

// libc's functions, with a look at what came. Never allocate.
ssize_t overhear(int fd, void* buffer, size_t length, int flags, sockaddr* from,
                 socklen_t* from_length);
ssize_t overhear(int fd, msghdr* message, int flags);
int overhear(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout);

inline ssize_t read(int fd, void* buffer, size_t length) {
  if (has(fd) && length != 0) [[unlikely]]
    return overhear(fd, buffer, length, 0, nullptr, nullptr);
  return real::read(fd, buffer, length);
}
inline ssize_t recv(int fd, void* buffer, size_t length, int flags) {
  if (has(fd)) [[unlikely]]
    return overhear(fd, buffer, length, flags, nullptr, nullptr);
  return real::recv(fd, buffer, length, flags);
}
inline ssize_t recvfrom(int fd, void* buffer, size_t length, int flags, sockaddr* from,
                        socklen_t* from_length) {
  if (has(fd)) [[unlikely]]
    return overhear(fd, buffer, length, flags, from, from_length);
  return real::recvfrom(fd, buffer, length, flags, from, from_length);
}
inline ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (has(fd)) [[unlikely]]
    return overhear(fd, message, flags);
  return real::recvmsg(fd, message, flags);
}
inline int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  if (has(fd)) [[unlikely]]
    return overhear(fd, messages, count, flags, timeout);
  return real::recvmmsg(fd, messages, count, flags, timeout);
}

}  // namespace gaiter::shim::dns_sockets
