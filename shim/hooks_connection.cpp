// Hooks: sockets come to be, connect, are accepted.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>

#include "shim/adoption.h"
#include "shim/awaited.h"
#include "shim/behind.h"
#include "shim/call_wait.h"
#include "shim/decision.h"
#include "shim/dns_sockets.h"
#include "shim/epoll_set.h"
#include "shim/expected_names.h"
#include "shim/front.h"
#include "shim/hooks.h"
#include "shim/in_clear.h"
#include "shim/listeners.h"
#include "shim/log_sums.h"
#include "shim/process.h"
#include "shim/refusal.h"
#include "shim/relay.h"
#include "shim/relay_end.h"
#include "shim/tcp.h"

namespace gaiter::shim {
namespace {

using policy::Direction;

bool is_ip(int family) { return family == AF_INET || family == AF_INET6; }

struct Address {
  sockaddr_storage storage{};
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

bool local_address(int fd, Address& address) {
  socklen_t length = sizeof address.storage;
  return getsockname(fd, address.get(), &length) == 0 && is_ip(address.storage.ss_family);
}

// Puts `connection` behind a new descriptor. A stale entry (the number was closed
// where no hook could see) gives way.
bool take_charge(int fd, Connection* connection, bool close_on_exec = false) {
  if (connection == nullptr) return false;
  fd_table::forget(fd);
  return fd_table::publish(fd, *connection, close_on_exec);
}

// Whether libc's streams read or write there by themselves.
bool has_stream(int fd, const Connection& connection) { return connection.streamed || fd <= 2; }

// A connection that mode = "monitor" lets go in clear: what can be known without a
// byte.
int connect_observed(int fd, const sockaddr* address, socklen_t length, ActiveRule& rule,
                     const sockaddr* remote) {
  Address present;
  socklen_t present_length = sizeof present.storage;
  const bool only_asks = getpeername(fd, present.get(), &present_length) == 0;
  const int result = real::connect(fd, address, length);
  if (only_asks || (result != 0 && errno != EINPROGRESS)) return result;
  const int saved_errno = errno;
  report_observed(rule, fd, remote);
  errno = saved_errno;
  return result;
}

// Whether the next connect, which is not libc's, has put something else under the number, or
// has connected what it says that it has not.
bool is_turned(int fd, const Connection& connection, int result) {
  if (!fd_table::leads_to(fd, connection)) return true;
  if (result == 0 || errno == EINPROGRESS || errno == EINTR) return false;
  const int saved_errno = errno;
  Address present;
  socklen_t length = sizeof present.storage;
  const bool connected = real::getpeername(fd, present.get(), &length) == 0;
  errno = saved_errno;
  return connected;
}

// Whatever is under the number now, not one byte may go there.
int refuse_turned(int fd, ActiveRule& rule) {
  const SlotRef slot = fd_table::find(fd);
  Connection* const present = as_connection(slot);
  if (present != nullptr) {
    present->turn_away(fd, &rule, EACCES);
  } else if (!take_charge(fd, Connection::make_refused(EACCES))) {
    hook_close(fd);
  }
  return fail_with(EACCES);
}

// `memory`: where the program has `address`.
int connect_protected(int fd, const sockaddr* address, socklen_t length, const void* memory,
                      Connection& connection, ActiveRule& rule) {
  const bool needs_relay = has_stream(fd, connection);
  if (needs_relay && fd != 0 && !is_blocking(fd)) {
    return refuse_unsupported(EACCES,
                              "a non-blocking connect on a descriptor that libc has a stream on");
  }
  if (!connection.begin_connect(rule, expected_names(rule.settings(), address, memory), address)) {
    return fail_with(EALREADY);
  }
  connection.identify(fd);
  log::keep_sums();
  connection.take_low_water(fd);
  connection.hide_from_exec();
  int result = -1;
  if (epoll_adopt(connection)) {
    const behind::Call call;
    result = real::connect(fd, address, length);
    if (call.was_refused()) return refuse_turned(fd, rule);
  } else {
    errno = EACCES;
  }
  if (behind::turns_sockets() && is_turned(fd, connection, result)) {
    behind::log_turned();
    return refuse_turned(fd, rule);
  }
  if (result != 0) {
    const int error = errno;
    if (error == EINPROGRESS || error == EINTR) return fail_with(error);
    connection.abandon_connect(0);
    epoll_give_back(connection);
    connection.leave_to_exec();
    connection.give_back_low_water(fd);
    return fail_with(error);
  }
  connection.tcp_connected();
  // Whoever accepts here may be this thread, later: another process waits for it.
  Address local;
  if (is_blocking(fd) && local_address(fd, local) &&
      listeners::is_own(local.get(), connection.remote())) {
    return move_to_relay(fd);
  }
  if (connection.secure(fd, 0, SO_SNDTIMEO) != 0)
    return fail_with(errno == EAGAIN ? EINPROGRESS : errno);
  connection.connect_reported = true;
  return needs_relay ? move_to_relay(fd) : 0;
}

// connect(2) on a socket whose connection was begun before.
int connect_again(int fd, Connection& connection) {
  if (connection.state() == State::failed || connection.rule().inbound())
    return fail_with(connection.state() == State::failed ? connection.error() : EISCONN);
  const bool was_reported = connection.connect_reported;
  if (connection.secure(fd, 0, SO_SNDTIMEO) != 0)
    return fail_with(errno == EAGAIN ? EALREADY : errno);
  connection.connect_reported = true;
  if (was_reported) return fail_with(EISCONN);
  return has_stream(fd, connection) ? move_to_relay(fd) : 0;
}

// `remote` is the peer as accept(2) told it: getpeername(2) says nothing of one that has reset
// the connection by now, and what that sent before can still be read.
int adopt_accepted(int fd, Address& remote, int flags) {
  const auto let_go = [&] {
    if ((flags & SOCK_CLOEXEC) == 0) real::fcntl(fd, F_SETFD, nullptr);
    return fd;
  };
  Address local;
  if (!local_address(fd, local)) return let_go();
  const Decision decision = decide(Direction::inbound, local.get(), remote.get());
  if (decision.verdict == Verdict::pass) {
    if (decision.clear == ClearText::observed) report_observed(*decision.rule, fd, remote.get());
    return let_go();
  }
  if (process::memory_is_borrowed()) {
    real::close(fd);
    return refuse_unsupported(EACCES, "a protected connection was accepted between vfork and exec");
  }
  Connection* connection;
  log::keep_sums();
  if (decision.verdict == Verdict::protect) {
    connection = Connection::make_pending(*decision.rule, decision.clear);
    if (connection != nullptr) {
      connection->set_remote(remote.get());
      connection->identify(fd);
      connection->take_low_water(fd);
    }
  } else {
    log_blocked(decision.rule, fd, remote.get(), decision.why);
    connection = Connection::make_refused(EACCES);
    real::shutdown(fd, SHUT_RDWR);
  }
  if (!take_charge(fd, connection, (flags & SOCK_CLOEXEC) != 0)) {
    real::close(fd);
    return fail_with(ENOMEM);
  }
  if (decision.verdict == Verdict::protect && fd <= 2 && move_to_relay(fd) != 0) {
    const int error = errno;
    hook_close(fd);
    return fail_with(error);
  }
  // Whose part it is to speak first does so at once: nothing else may ever wake us.
  if (decision.verdict == Verdict::protect && !decision.rule->is_tls_server()) {
    const SlotRef slot = fd_table::find(fd);
    if (Connection* const begun = as_connection(slot)) {
      begun->start_clock();
      begun->step(fd);
    }
  }
  return fd;
}

// accept(2)'s answer about the peer. 0, or what is wrong with the room for it.
int tell_address(int fd, Address& remote, socklen_t remote_length, sockaddr* to,
                 socklen_t* length) {
  if (!memory::can_read(length)) return EFAULT;
  const auto room = static_cast<int>(*length);
  if (room < 0) return EINVAL;
  if (!memory::can_write(fd, length) || (room != 0 && !memory::can_write(fd, to))) return EFAULT;
  std::memcpy(to, &remote.storage, std::min(static_cast<socklen_t>(room), remote_length));
  *length = remote_length;
  return 0;
}

// What would move, transform or count bytes past the record layer.
bool is_bypass(int level, int name) {
  if (level == SOL_SOCKET) return name == SO_ZEROCOPY || name == SO_PEEK_OFF;
  if (level != IPPROTO_TCP) return false;
  return name == TCP_ULP || name == TCP_FASTOPEN_CONNECT || name == TCP_REPAIR || name == TCP_INQ;
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_socket(int domain, int type, int protocol) {
  const int fd = real::socket(domain, type, protocol);
  if (fd < 0 || !makes_tcp(domain, type, protocol)) return fd;
  if (front::refuses() || behind::refuses_dialogue()) {
    real::close(fd);
    return fail_with(EACCES);
  }
  const int saved_errno = errno;
  // In borrowed memory the table is another's: connect(2) will see.
  if (concerned(gaiter::policy::Direction::outbound) && !process::memory_is_borrowed()) {
    // Watched from here on, since it may enter epoll sets before it connects.
    if (!take_charge(fd, Connection::make_watched())) {
      real::close(fd);
      return fail_with(ENOMEM);
    }
  }
  errno = saved_errno;
  return fd;
}

int hook_connect(int fd, const sockaddr* given, socklen_t length) {
  Address remote;
  // What the kernel will refuse it shall refuse itself, without a chance to find it good.
  if (length < sizeof(sa_family_t) || length > sizeof remote.storage)
    return real::connect(fd, given, length);
  if (!memory::can_read(given, length)) return real::connect(fd, nullptr, length);
  // Once: another thread may write there while we decide.
  std::memcpy(&remote.storage, given, length);
  const sockaddr* const address = remote.get();
  dns_sockets::note_destination(fd, address, length);
  SlotRef slot = fd_table::find(fd);
  Connection* connection = as_connection(slot);
  if (connection != nullptr && connection->is_protected()) {
    if (address->sa_family == AF_UNSPEC) return fail_with(EOPNOTSUPP);
    return connect_again(fd, *connection);
  }
  // The answer to a non-blocking connect that failed, asked for by connecting again.
  if (const int error = connection != nullptr ? connection->take_connect_error() : 0; error != 0)
    return fail_with(error);
  const size_t needed =
      address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) - 4 : sizeof(sockaddr_in);
  if (!is_ip(address->sa_family) || length < needed ||
      !concerned(gaiter::policy::Direction::outbound) || (connection == nullptr && !is_tcp(fd))) {
    return real::connect(fd, address, length);
  }
  if (front::refuses() || behind::refuses_dialogue()) return -1;
  Address local;
  local.storage.ss_family = address->sa_family;
  local_address(fd, local);
  const Decision decision = decide(gaiter::policy::Direction::outbound, local.get(), remote.get());
  Address present;
  socklen_t present_length = sizeof present.storage;
  // One that is connected in clear already hears EISCONN.
  if (connection != nullptr && decision.verdict == Verdict::protect &&
      getpeername(fd, present.get(), &present_length) == 0) {
    return real::connect(fd, address, length);
  }
  if (decision.verdict == Verdict::pass) {
    if (connection != nullptr) connection->let_pass();
    if (decision.clear == ClearText::observed)
      return connect_observed(fd, address, length, *decision.rule, remote.get());
    const int result = real::connect(fd, address, length);
    if (decision.rule == nullptr && (result == 0 || errno == EINPROGRESS))
      in_clear::connecting(fd, remote.get());
    return result;
  }
  if (decision.verdict == Verdict::block) {
    log_blocked(decision.rule, fd, remote.get(), decision.why);
    return fail_with(EACCES);
  }
  if (process::memory_is_borrowed()) {
    return refuse_unsupported(EACCES, "a protected connection was to begin between vfork and exec");
  }
  if (connection != nullptr && connection->travels() &&
      !may_connect_traveller(fd, *decision.rule, remote.get())) {
    return fail_with(EACCES);
  }
  if (connection == nullptr) {
    if (!take_charge(fd, Connection::make_watched())) return fail_with(ENOMEM);
    slot = fd_table::find(fd);
    connection = as_connection(slot);
    if (connection == nullptr) return fail_with(EBADF);
  }
  return connect_protected(fd, remote.get(), length, given, *connection, *decision.rule);
}
HOOK_ALIAS(__connect, connect)

int hook_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  if (!concerned(gaiter::policy::Direction::inbound))
    return real::accept4(fd, address, length, flags);
  if (front::refuses() && is_tcp(fd)) return fail_with(EACCES);
  Address remote;
  socklen_t remote_length = sizeof remote.storage;
  const int accepted = real::accept4(fd, remote.get(), &remote_length, flags | SOCK_CLOEXEC);
  if (accepted < 0) return accepted;
  awaited::accepted();
  // As the kernel: the connection is lost if its address cannot be told.
  const int error =
      address != nullptr ? tell_address(accepted, remote, remote_length, address, length) : 0;
  if (error != 0) {
    real::close(accepted);
    return fail_with(error);
  }
  return adopt_accepted(accepted, remote, flags);
}

int hook_accept(int fd, sockaddr* address, socklen_t* length) {
  return hook_accept4(fd, address, length, 0);
}

int hook_listen(int fd, int backlog) {
  if (fd_table::has(fd)) {
    const SlotRef slot = fd_table::find(fd);
    const Connection* const watched = as_connection(slot);
    if (watched == nullptr || watched->is_protected()) return real::listen(fd, backlog);  // fails
    fd_table::forget(fd);
  }
  Address local;
  const bool is_internet = local_address(fd, local);
  if (is_internet && front::refuses()) return -1;
  bool is_unmatched = is_internet;
  if (concerned(gaiter::policy::Direction::inbound) && is_internet) {
    const Decision decision = decide(gaiter::policy::Direction::inbound, local.get(), nullptr);
    is_unmatched = decision.rule == nullptr;
    if (decision.verdict == Verdict::block) {
      log_blocked(decision.rule, fd, nullptr, decision.why);
      return fail_with(EACCES);
    }
    // Keys are read now: later the program may have given up the right to.
    if (decision.rule != nullptr && decision.rule->may_protect()) {
      const auto context = decision.rule->context();
      if (!context && decision.clear == ClearText::observed) {
        log_observed(*decision.rule, fd, nullptr, &context.error());
      } else if (!context && decision.verdict == Verdict::protect) {
        log_refused(*decision.rule, fd, nullptr, context.error());
        return fail_with(EACCES);
      }
    }
    prepare_identities(local.get());
  }
  const int result = real::listen(fd, backlog);
  if (result != 0 || !is_internet) return result;
  if (concerned(gaiter::policy::Direction::inbound)) log::keep_sums();
  local_address(fd, local);  // its port is known now, if the kernel chose it
  listeners::add(local.get());
  awaited::listening(ntohs(reinterpret_cast<const sockaddr_in*>(local.get())->sin_port));
  if (is_unmatched) in_clear::listening(fd);
  return result;
}

int hook_getsockname(int fd, sockaddr* address, socklen_t* length) {
  if (fd_table::has(fd)) {
    const SlotRef slot = fd_table::find(fd);
    if (const RelayEnd* const end = as_relay_end(slot))
      return give_address(fd, end->local, address, length);
  }
  return real::getsockname(fd, address, length);
}

int hook_getpeername(int fd, sockaddr* address, socklen_t* length) {
  if (fd_table::has(fd)) {
    const SlotRef slot = fd_table::find(fd);
    if (const RelayEnd* const end = as_relay_end(slot))
      return give_address(fd, end->remote, address, length);
  }
  return real::getpeername(fd, address, length);
}

int hook_shutdown(int fd, int how) {
  if (!fd_table::has(fd)) return real::shutdown(fd, how);
  const Protected connection(fd);
  return connection ? connection->shut_down(fd, how) : real::shutdown(fd, how);
}

int hook_getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  if (level == SOL_SOCKET && name == SO_RCVLOWAT && fd_table::has(fd)) {
    const int result = real::getsockopt(fd, level, name, value, length);
    const Protected connection(fd);
    if (!connection || result != 0) return result;
    const int mark = connection->low_water();
    std::memcpy(value, &mark, std::min<size_t>(*length, sizeof mark));
    return 0;
  }
  if (level == IPPROTO_TCP && name == TCP_ZEROCOPY_RECEIVE && Protected(fd))
    return fail_with(EOPNOTSUPP);
  if (level != SOL_SOCKET || name != SO_ERROR || !fd_table::has(fd))
    return real::getsockopt(fd, level, name, value, length);
  const SlotRef slot = fd_table::find(fd);
  Connection* const connection = as_connection(slot);
  if (connection == nullptr) return real::getsockopt(fd, level, name, value, length);
  const State state = connection->state();
  if (state == State::connecting || state == State::handshaking) connection->step(fd);
  int error = 0;
  if (connection->state() == State::failed) error = connection->error();
  if (connection->state() == State::fresh) error = connection->take_connect_error();
  const bool open = connection->state() == State::open;
  if (open) error = connection->take_read_error(fd);
  if (error == 0 && !open && connection->state() != State::connecting)
    return real::getsockopt(fd, level, name, value, length);
  // Of room and length the kernel is the judge: any other number will do.
  if (real::getsockopt(fd, SOL_SOCKET, SO_TYPE, value, length) != 0) return -1;
  std::memcpy(value, &error, std::min<size_t>(*length, sizeof error));
  return 0;
}

int hook_setsockopt(int fd, int level, int name, const void* value, socklen_t length) {
  // Also of a listener: what is accepted inherits it.
  if (level == SOL_SOCKET && (name == SO_RCVTIMEO_OLD || name == SO_SNDTIMEO_OLD ||
                              name == SO_RCVTIMEO_NEW || name == SO_SNDTIMEO_NEW)) {
    timeouts_are_used.store(true, std::memory_order_relaxed);
  }
  const bool is_low_water = level == SOL_SOCKET && name == SO_RCVLOWAT;
  if (is_low_water) low_waters_are_used.store(true, std::memory_order_relaxed);
  if (!fd_table::has(fd)) return real::setsockopt(fd, level, name, value, length);
  if (is_low_water) {
    const Protected connection(fd);
    return connection ? connection->set_low_water(fd, value, length)
                      : real::setsockopt(fd, level, name, value, length);
  }
  // TCP's own options mean nothing to a relay's end, and no harm.
  if ((level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6) &&
      as_relay_end(fd_table::find(fd)) != nullptr) {
    return 0;
  }
  if (is_bypass(level, name) && as_connection(fd_table::find(fd)) != nullptr)
    return fail_with(EOPNOTSUPP);
  return real::setsockopt(fd, level, name, value, length);
}
