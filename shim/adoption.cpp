#include "shim/adoption.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/expected_names.h"
#include "shim/fd_table.h"
#include "shim/passed_descriptors.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/refusal.h"
#include "shim/relay.h"
#include "shim/tcp.h"
#include "shim/travels.h"

namespace gaiter::shim {

namespace {

using policy::Direction;

class KeepErrno {
 public:
  ~KeepErrno() { errno = saved_; }

 private:
  const int saved_ = errno;
};

struct Ends {
  sockaddr_storage local{};
  sockaddr_storage remote{};
  bool is_reset = false;  // then nobody knows any more who the peer was
  sockaddr* local_address() { return reinterpret_cast<sockaddr*>(&local); }
  sockaddr* remote_address() { return is_reset ? nullptr : reinterpret_cast<sockaddr*>(&remote); }
};

// Whether something can be read from it or written to it. What a peer sent before it reset
// the connection can still be read.
bool is_connected(int fd, Ends& ends) {
  socklen_t length = sizeof ends.local;
  socklen_t remote_length = sizeof ends.remote;
  if (real::getsockname(fd, ends.local_address(), &length) != 0) return false;
  if (real::getpeername(fd, ends.remote_address(), &remote_length) == 0) return true;
  int waiting = 0;
  ends.is_reset = real::ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
  return ends.is_reset;
}

// Whether somebody may connect it yet, or is doing so.
bool is_unconnected(int fd) {
  const uint8_t state = tcp_state(fd);
  return state == TCP_CLOSE || state == TCP_SYN_SENT;
}

// What the policy says of a connection of which it is not known who began it.
Decision decide_either(Ends& ends, bool& inbound) {
  Decision decision = decide(Direction::inbound, ends.local_address(), ends.remote_address());
  inbound = decision.verdict != Verdict::pass;
  if (!inbound) decision = decide(Direction::outbound, ends.local_address(), ends.remote_address());
  return decision;
}

Connection* make_refused(int fd, Ends& ends, const Decision& decision) {
  log_blocked(decision.rule, fd, ends.remote_address(), decision.why);
  return Connection::make_refused(EACCES);
}

Connection* make_protected(int fd, Ends& ends, const Decision& decision, bool inbound) {
  if (inbound) {
    Connection* const connection = Connection::make_pending(*decision.rule, decision.clear);
    if (connection == nullptr) return nullptr;
    connection->set_remote(ends.remote_address());
    connection->take_low_water(fd);
    return connection;
  }
  Connection* const connection = Connection::make_watched();
  if (connection == nullptr) return nullptr;
  const sockaddr* const remote = ends.remote_address();
  connection->begin_connect(*decision.rule,
                            expected_names(decision.rule->settings(), remote, nullptr), remote);
  connection->tcp_connected();
  return connection;
}

// Where nothing can be entered.
void give_way(int fd) { put_nothing_behind(fd); }

void enter(int fd, Connection* connection) {
  const int flags = real::fcntl(fd, F_GETFD, nullptr);
  if (connection == nullptr || !fd_table::publish(fd, *connection, (flags & FD_CLOEXEC) != 0))
    return give_way(fd);
  if (connection->is_protected()) real::fcntl(fd, F_SETFD, reinterpret_cast<void*>(FD_CLOEXEC));
}

void adopt_connected(int fd, Ends& ends, Arrival how) {
  bool inbound;
  Decision decision = decide_either(ends, inbound);
  if (decision.verdict == Verdict::pass) return;
  if (ends.is_reset) {
    decision.verdict = Verdict::block;
    decision.why = "the peer has reset the connection, and it is not known who it was";
  } else if (how != Arrival::at_start && decision.verdict == Verdict::protect && has_carried(fd)) {
    if (decision.clear != ClearText::never) return;  // who had it before has seen that it is clear
    decision.verdict = Verdict::block;
    decision.why = "it came from another process, and has carried bytes already";
  }
  Connection* const connection = decision.verdict == Verdict::protect
                                     ? make_protected(fd, ends, decision, inbound)
                                     : make_refused(fd, ends, decision);
  if (connection != nullptr) connection->identify(fd);
  enter(fd, connection);
}

void adopt_unconnected(int fd, Arrival how) {
  if (!concerned(Direction::outbound)) return;
  if (how == Arrival::by_message) travels::arrived(socket_cookie(fd));
  Connection* const connection = Connection::make_watched();
  if (connection != nullptr) connection->set_travels(true);
  enter(fd, connection);
}

// What this process has under another number already: inetd gives one socket as 0, 1 and 2.
SlotRef twin_of(int fd) {
  const uint64_t cookie = socket_cookie(fd);
  for (int other = 0; other <= fd_table::highest(); ++other) {
    if (other == fd || !fd_table::has(other)) continue;
    SlotRef slot = fd_table::find(other);
    const Connection* const connection = as_connection(slot);
    if (connection == nullptr || !connection->is_socket(fd)) continue;
    // A fresh one has not looked which socket it is.
    if (connection->is_protected() || socket_cookie(other) == cookie) return slot;
  }
  return {};
}

void adopt_tcp(int fd, Arrival how) {
  if (tcp_state(fd) == TCP_LISTEN || !has_rules()) return;  // accept(2) will decide
  if (const SlotRef twin = twin_of(fd)) {
    Connection* const connection = as_connection(twin);
    if (how == Arrival::by_message && !connection->is_protected())
      travels::arrived(socket_cookie(fd));
    return enter(fd, connection);
  }
  Ends ends;
  if (is_connected(fd, ends)) {
    adopt_connected(fd, ends, how);
  } else if (is_unconnected(fd)) {
    adopt_unconnected(fd, how);
  }
}

// Remembers an unconnected socket that goes into a message: as fresh, or as not seen yet.
void note_passed(int fd) {
  if (fd_table::has(fd)) {
    const SlotRef slot = fd_table::find(fd);
    Connection* const connection = as_connection(slot);
    if (connection == nullptr || connection->is_protected() || !is_unconnected(fd)) return;
    connection->set_travels(true);
    // A stream of libc's writes past every hook.
    if (connection->streamed || fd <= 2) return travels::lose(socket_cookie(fd));
    return travels::passed(socket_cookie(fd));
  }
  if (!is_tcp(fd) || !is_unconnected(fd) || process::memory_is_borrowed() ||
      !concerned(Direction::outbound)) {
    return;
  }
  Connection* const connection = Connection::make_watched();
  if (connection == nullptr || !fd_table::publish(fd, *connection)) return;
  connection->set_travels(true);
  travels::lose(socket_cookie(fd));  // who knows who else holds it
}

}  // namespace

void put_nothing_behind(int fd) {
  real::shutdown(fd, SHUT_RDWR);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    real::close(fd);
    return;
  }
  real::dup3(ends[0], fd, 0);
  real::close(ends[0]);
  real::close(ends[1]);
}

void adopt(int fd, Arrival how) {
  const KeepErrno keep;
  // In memory that is not ours nothing can be remembered.
  if (process::memory_is_borrowed()) {
    if (is_tcp(fd) && tcp_state(fd) != TCP_LISTEN && has_rules()) give_way(fd);
    return;
  }
  // What was known of the number is of one that was closed where no hook could see.
  if (how != Arrival::at_start && fd_table::has(fd)) fd_table::forget(fd);
  if (is_tcp(fd)) adopt_tcp(fd, how);
}

void adopt_received(const msghdr& message, int flags) {
  const Arrival how = (flags & MSG_PEEK) != 0 ? Arrival::by_peeked_message : Arrival::by_message;
  for_each_passed(message, [how](int fd) {
    adopt(fd, how);
    return true;
  });
}

bool pass_on(const msghdr& message) {
  if (!relay_passed(message)) {
    errno = EACCES;
    return false;
  }
  const KeepErrno keep;
  for_each_passed(message, [](int fd) {
    note_passed(fd);
    return true;
  });
  return true;
}

void take_back(const msghdr& message) {
  const KeepErrno keep;
  for_each_passed(message, [](int fd) {
    if (!fd_table::has(fd)) return true;
    const SlotRef slot = fd_table::find(fd);
    const Connection* const connection = as_connection(slot);
    if (connection != nullptr && connection->travels()) travels::not_passed(socket_cookie(fd));
    return true;
  });
}

int meet_traveller(int fd, Connection& connection) {
  const KeepErrno keep;
  Ends ends;
  if (!is_connected(fd, ends)) return tcp_state(fd) == TCP_SYN_SENT ? EAGAIN : ENOTCONN;
  const Decision decision =
      decide(Direction::outbound, ends.local_address(), ends.remote_address());
  if (decision.verdict == Verdict::pass && !ends.is_reset) {
    connection.set_travels(false);  // clear, and for good
    return 0;
  }
  log_shared(decision.rule, fd, ends.remote_address(),
             "another holder of the socket has connected it",
             "let the process that connects be the one that reads and writes");
  connection.turn_away(fd, decision.rule, EACCES);
  return EACCES;
}

bool may_connect_traveller(int fd, const ActiveRule& rule, const sockaddr* remote) {
  const KeepErrno keep;
  if (travels::stays_in_family(socket_cookie(fd))) return true;
  log_shared(&rule, fd, remote,
             "the socket was passed on or inherited unconnected: another process may hold it, and "
             "write in clear",
             "connect before the socket is passed on, or pass it within one program and its forks");
  return false;
}

}  // namespace gaiter::shim
