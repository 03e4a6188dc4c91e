// What the kernel says of a descriptor that may be a TCP socket.
#pragma once

#include <cstdint>

namespace gaiter::shim {

// Whether it is one, connected or not (MPTCP counts: Linux gives it where TCP was asked for).
// False for what is no socket, or not open. One system call; may change errno.
bool is_tcp(int fd);

// The kernel's TCP_ESTABLISHED and so on.
uint8_t tcp_state(int fd);
// Whether the peer has ended TCP, or it is broken.
bool has_sent_fin(int fd);

}  // namespace gaiter::shim
