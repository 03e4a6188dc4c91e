// What the kernel says of a descriptor that may be a TCP socket.
#pragma once

namespace gaiter::shim {

// Whether it is one, connected or not (MPTCP counts: Linux gives it where TCP was asked for).
// False for what is no socket, or not open. One system call; may change errno.
bool is_tcp(int fd);

}  // namespace gaiter::shim
