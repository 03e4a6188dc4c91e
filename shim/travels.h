// Unconnected TCP sockets that went through a message (SCM_RIGHTS): who else may hold one.
//
// A member of the family (family.h) asks the kernel before it moves a byte on such a socket
// (adoption.h), so one that only members hold may be connected by any of them. Of others
// nothing is known: they would write in clear.
//
// What passed is counted by the socket's cookie (SO_COOKIE) in one page that the whole family
// shares. An entry that is missing, was pushed out or was tampered with refuses a connect, or
// trusts a socket that the member who lied holds anyway.
#pragma once

#include <cstdint>

namespace gaiter::shim::travels {

// Once, at start, before any fork. Address space only until something is passed.
void start();

// A member is about to pass it, and: it did not after all. Async-signal-safe, as all here.
void passed(uint64_t cookie);
void not_passed(uint64_t cookie);

// It came here by a message that is taken off its queue.
void arrived(uint64_t cookie);

// Somebody holds it whom no hook guards, or may: it is never connected by us again.
void lose(uint64_t cookie);

// Whether each message that it ever went through was taken by a member, and a member made it.
// False for one that no member has passed.
bool stays_in_family(uint64_t cookie);

}  // namespace gaiter::shim::travels
