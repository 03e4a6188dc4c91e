#include "shim/inherited.h"

#include <fcntl.h>
#include <netinet/in.h>

#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/exec_environment.h"
#include "shim/fd_table.h"
#include "shim/names.h"
#include "shim/real.h"
#include "shim/refusal.h"
#include "shim/relay.h"
#include "shim/relay_end.h"

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
  sockaddr* local_address() { return reinterpret_cast<sockaddr*>(&local); }
  sockaddr* remote_address() { return reinterpret_cast<sockaddr*>(&remote); }
};

bool is_connected_tcp(int fd, Ends& ends) {
  int protocol = 0;
  socklen_t length = sizeof protocol;
  if (real::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0 ||
      (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)) {
    return false;
  }
  length = sizeof ends.local;
  socklen_t remote_length = sizeof ends.remote;
  return real::getsockname(fd, ends.local_address(), &length) == 0 &&
         real::getpeername(fd, ends.remote_address(), &remote_length) == 0;
}

// The connection that a rule makes of it; nullptr if it stays clear.
Connection* connection_for(int fd, Ends& ends) {
  Decision decision = decide(Direction::inbound, ends.local_address(), ends.remote_address());
  const bool inbound = decision.verdict != Verdict::pass;
  if (!inbound) decision = decide(Direction::outbound, ends.local_address(), ends.remote_address());
  if (decision.verdict == Verdict::pass) return nullptr;
  Connection* connection = nullptr;
  if (decision.verdict == Verdict::protect && inbound) {
    connection = Connection::make_pending(*decision.rule, decision.clear);
    if (connection != nullptr) connection->set_remote(ends.remote_address());
  } else if (decision.verdict == Verdict::protect) {
    connection = Connection::make_watched();
    if (connection != nullptr) {
      std::string name =
          names::expected_at(decision.rule->settings().server_name, ends.remote_address());
      connection->begin_connect(*decision.rule, std::move(name), ends.remote_address());
      connection->tcp_connected();
    }
  } else {
    log_blocked(decision.rule, fd, ends.remote_address(), decision.why);
    connection = Connection::make_refused(EACCES);
  }
  // Without a connection nothing may leave, nor by libc's streams where one is refused.
  // Others may be leaks of the parent's, which goes on with them.
  if (connection == nullptr || (decision.verdict == Verdict::block && fd <= 2))
    real::shutdown(fd, SHUT_RDWR);
  if (connection != nullptr) connection->identify(fd);
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
    real::shutdown(fd, SHUT_RDWR);
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
    if (connection != nullptr && connection->state() != State::failed && move_to_relay(fd) != 0)
      real::shutdown(fd, SHUT_RDWR);
  }
  errno = saved_errno;
}

}  // namespace gaiter::shim
