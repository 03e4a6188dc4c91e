// Every TCP socket that comes to be under a number without socket(2) or accept(2): what a program
// image finds open at start, what a message brings (SCM_RIGHTS), what pidfd_getfd(2) fetches.
//
// One that is connected is protected, refused or left as the policy says. One that is not is
// watched, and remembered as held by others, perhaps (Connection::travels): before a byte moves on
// it the kernel is asked whether one of them has connected it, and connect(2) is refused where a
// rule says TLS and somebody may hold it whom no hook guards (travels.h).
//
// May load the policy and write the log; not for signal handlers. Keeps errno unless said.
#pragma once

#include <sys/socket.h>

#include <cstdint>

namespace gaiter::shim {

class ActiveRule;
class Connection;

enum class Arrival : uint8_t { at_start, by_message, by_peeked_message, by_pidfd };

// `fd` has come. What must not stay in clear and cannot be entered ends: the number then leads to
// the closed end of a socket pair.
void adopt(int fd, Arrival how);

// After recvmsg(2) with these flags has given `message`: adopts what it brought.
void adopt_received(const msghdr& message, int flags);

// Who reads there past every hook finds the end of file, and who writes EPIPE: shutdown(2)
// alone would leave a reader what has come, and what comes after.
void put_nothing_behind(int fd);

// Around sendmsg(2). Protected descriptors in the message move to relays (relay.h), unconnected
// sockets in it are remembered. False: it must not be sent (EACCES).
bool pass_on(const msghdr& message);
// It was not sent after all.
void take_back(const msghdr& message);

// Before bytes move on a watched socket that travels: 0, or the errno of the call. ENOTCONN or
// EAGAIN while nobody has connected it, EACCES for good if somebody did where a rule says TLS.
int meet_traveller(int fd, Connection& connection);

// Whether this process may connect `fd`, which travels, where `rule` says TLS. False: the log
// has been told.
bool may_connect_traveller(int fd, const ActiveRule& rule, const sockaddr* remote);

}  // namespace gaiter::shim
