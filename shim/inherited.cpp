#include "shim/inherited.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/exec_environment.h"
#include "shim/expected_names.h"
#include "shim/fd_table.h"
#include "shim/real.h"
#include "shim/refusal.h"
#include "shim/relay.h"
#include "shim/relay_end.h"
#include "shim/tcp.h"

namespace gaiter::shim {

namespace {

using policy::Direction;

// inetd hands over 0 to 2, systemd 3 and on. Each costs a system call at every exec.
constexpr int looked_at = 16;
// Where relays' ends may be, if the environment tells of any.
constexpr int highest_relay_end = 256;

struct Ends {
  sockaddr_storage local{};
  sockaddr_storage remote{};
  bool is_reset = false;  // then nobody knows any more who the peer was
  sockaddr* local_address() { return reinterpret_cast<sockaddr*>(&local); }
  sockaddr* remote_address() { return is_reset ? nullptr : reinterpret_cast<sockaddr*>(&remote); }
};

// Whether something can be read from it or written to it. What a peer sent before it reset
// the connection can still be read.
bool is_connected_tcp(int fd, Ends& ends) {
  socklen_t length = sizeof ends.local;
  socklen_t remote_length = sizeof ends.remote;
  if (!is_tcp(fd) || real::getsockname(fd, ends.local_address(), &length) != 0) return false;
  if (real::getpeername(fd, ends.remote_address(), &remote_length) == 0) return true;
  int waiting = 0;
  ends.is_reset = real::ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
  return ends.is_reset;
}

// Who reads there past every hook finds the end of file, and who writes EPIPE: shutdown(2)
// alone would leave a reader what has come, and what comes after.
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

// The connection that a rule makes of it; nullptr if it stays clear, or there is no memory.
Connection* connection_for(int fd, Ends& ends) {
  Decision decision = decide(Direction::inbound, ends.local_address(), ends.remote_address());
  const bool inbound = decision.verdict != Verdict::pass;
  if (!inbound) decision = decide(Direction::outbound, ends.local_address(), ends.remote_address());
  if (decision.verdict == Verdict::pass) return nullptr;
  if (ends.is_reset) {
    decision.verdict = Verdict::block;
    decision.why = "the peer has reset the connection, and it is not known who it was";
  }
  Connection* connection = nullptr;
  if (decision.verdict == Verdict::protect && inbound) {
    connection = Connection::make_pending(*decision.rule, decision.clear);
    if (connection != nullptr) connection->set_remote(ends.remote_address());
  } else if (decision.verdict == Verdict::protect) {
    connection = Connection::make_watched();
    if (connection != nullptr) {
      const sockaddr* const remote = ends.remote_address();
      connection->begin_connect(*decision.rule,
                                expected_names(decision.rule->settings(), remote, nullptr), remote);
      connection->tcp_connected();
    }
  } else {
    log_blocked(decision.rule, fd, ends.remote_address(), decision.why);
    connection = Connection::make_refused(EACCES);
  }
  if (connection == nullptr) {
    put_nothing_behind(fd);
  } else {
    connection->identify(fd);
  }
  return connection;
}

// An earlier number for the same socket: inetd gives one as 0, 1 and 2.
Connection* twin_of(int fd) {
  for (int other = 0; other < fd; ++other) {
    const SlotRef slot = fd_table::find(other);
    Connection* const connection = as_connection(slot);
    if (connection != nullptr && connection->is_socket(fd)) return connection;
  }
  return nullptr;
}

void adopt_tcp(int fd, Ends& ends) {
  Connection* connection = twin_of(fd);
  if (connection == nullptr) connection = connection_for(fd, ends);
  if (connection == nullptr) return;
  const int flags = real::fcntl(fd, F_GETFD, nullptr);
  if (!fd_table::publish(fd, *connection, (flags & FD_CLOEXEC) != 0)) {
    put_nothing_behind(fd);
    return;
  }
  real::fcntl(fd, F_SETFD, reinterpret_cast<void*>(FD_CLOEXEC));
}

}  // namespace

void adopt_inherited() {
  const int saved_errno = errno;
  if (RelayEnd::read_environment()) {
    for (int fd = 0; fd < highest_relay_end; ++fd) {
      if (fd_table::has(fd)) continue;
      RelayEnd* const end = RelayEnd::known(fd);
      if (end != nullptr && !fd_table::publish(fd, *end)) end_slot(*end);
    }
  }
  for (int fd = 0; fd < looked_at; ++fd) {
    Ends ends;
    if (!fd_table::has(fd) && is_connected_tcp(fd, ends)) adopt_tcp(fd, ends);
  }
  // libc's streams are there already, and go past every hook.
  for (int fd = 0; fd <= 2; ++fd) {
    const SlotRef slot = fd_table::find(fd);
    const Connection* const connection = as_connection(slot);
    if (connection == nullptr) continue;
    if (connection->state() == State::failed || move_to_relay(fd) != 0) put_nothing_behind(fd);
  }
  errno = saved_errno;
}

}  // namespace gaiter::shim
