// What the kernel says of a descriptor that may be a TCP socket.
#pragma once

#include <cstdint>

namespace gaiter::shim {

// From <linux/smc.h> and <linux/in.h>, newer than some distributions'.
inline constexpr int family_smc = 43;     // AF_SMC
inline constexpr int protocol_smc = 256;  // IPPROTO_SMC

// Whether it is one, connected or not. What Linux makes TCP of where the other end knows no
// better counts: MPTCP and SMC. False for what is no socket, or not open. At most two system
// calls; may change errno.
bool is_tcp(int fd);
// The same of what socket(2) is asked for.
bool makes_tcp(int domain, int type, int protocol);

// The kernel's TCP_ESTABLISHED and so on.
uint8_t tcp_state(int fd);
// Whether the peer has ended TCP, or it is broken.
bool has_sent_fin(int fd);
// Whether the program at this end, or who had it before, has written to the connection or read
// from it. False where the kernel does not tell.
bool has_carried(int fd);

// SO_COOKIE: which socket this is, for as long as the machine runs; 0 = not known.
uint64_t socket_cookie(int fd);

}  // namespace gaiter::shim
