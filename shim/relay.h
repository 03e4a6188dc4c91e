// A connection that must go where Gaiter cannot follow (another program image, a
// libc stream, another process) is handed to a relay: a small process of its own
// that keeps the TLS side and offers the plain bytes on a local socket pair. The
// program's numbers then lead to that pair, which any code may use.
//
// The relay is a fork of the program that never execs, is nobody's child, and
// ends with the connection. The pair never leaves the machine.
#pragma once

#include <sys/socket.h>

namespace gaiter::shim {

// Starts a relay for the protected connection behind `fd` and returns the
// program's end of the pair (close-on-exec, blocking as `fd`), or -1 with errno.
// `fd` itself is left as it is: the caller puts the end in its place before
// anybody reads from it again. Works in a vfork child.
int start_relay(int fd);

// Starts a relay and lets every number of this process that led to the
// connection lead to the pair instead. 0, or -1 with errno and nothing changed.
int move_to_relay(int fd);

// Before execve(2): what the new image is to inherit goes to relays. What others
// hold too stays with them, and is closed by the exec.
void relay_inherited();

// Before sendmsg(2): so do protected descriptors that are being passed.
// False: one could not be moved, and the message must not be sent. What is malformed is left
// to the kernel, which refuses it.
bool relay_passed(const msghdr& message);

// Before fstat(2): it tells st_ino, by which Dovecot's login processes make sure that the
// descriptor they passed on is the one that arrives. Where only a nursery makes relays,
// an open connection moves now, so that the number holds.
void relay_before_identity(int fd);

}  // namespace gaiter::shim
