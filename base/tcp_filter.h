// Takes TCP away from the calling thread and from all that it starts, by a seccomp filter
// (seccomp(2)) that nobody can take off again. Everything else goes on as before.
//
// Denied with EACCES: socket(2) for AF_INET and AF_INET6 of type SOCK_STREAM, and for the
// families that carry their data over TCP (AF_SMC, AF_RDS); io_uring_setup(2), whose rings
// make sockets past every filter; pidfd_getfd(2), which takes them from other processes.
// The same by x32 and by the machine's 32-bit numbers, of these socketcall(2) as a whole:
// its arguments lie in memory that a filter cannot see. What speaks by yet other numbers is
// denied everything.
#pragma once

#include <cstdint>

namespace gaiter::base {

enum class Inherited : uint8_t {
  nothing,
  // A TCP socket in clear comes with the program: it may go on with that, but not lead it
  // elsewhere. connect(2), listen(2) and MSG_FASTOPEN are denied as well, whatever the socket.
  clear_tcp,
};

// 0, or an errno. Without CAP_SYS_ADMIN it sets no_new_privs (prctl(2)), which stays, and takes
// from programs what rights they gain by being executed: see leaves_rights().
// Async-signal-safe; in a vfork child it concerns the child alone.
int deny_tcp(Inherited inherited);

// Whether deny_tcp() would do without no_new_privs.
bool leaves_rights();

}  // namespace gaiter::base
