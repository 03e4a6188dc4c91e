// The end of a connection: shutdown(2), and what must be said before close(2).
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/epoll_set.h"
#include "shim/fd_table.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/relay.h"
#include "shim/tcp.h"

namespace gaiter::shim {

namespace {

bool has_taken_all(int fd) {
  int unacknowledged = 0;
  return real::ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

// What shutdown(2) gives where nothing is left for it to do: without a peer, ENOTCONN.
int peer_is_there(int fd) {
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length);
}

}  // namespace

int Connection::shut_down(int fd, int how) {
  if (state() == State::fresh || state() == State::failed || is_undecided())
    return real::shutdown(fd, how);
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) {
    errno = EINVAL;
    return -1;
  }
  // close_notify can only be said in a connection that is secure.
  if (state() != State::open && secure(fd, 0, SO_SNDTIMEO) != 0 && errno == EAGAIN)
    return real::shutdown(fd, how);
  const uint8_t tcp = tcp_state(fd);
  // Nobody is left to say anything to, and the reason is the program's to learn.
  if (tcp == TCP_CLOSE) return real::shutdown(fd, how);
  const bool parts =
      how != SHUT_RD && tcp == TCP_CLOSE_WAIT && !output_waits() && has_taken_all(fd);
  const bool said =
      how != SHUT_RD && say_goodbye(fd, is_blocking(fd) ? process::now() + close_timeout() : 0);
  if (said && parts) reading_.parted = true;
  if (how != SHUT_RD) writing_.shut = true;
  // To the kernel every shutdown(2) is an edge.
  struct Edge {
    Connection& connection;
    ~Edge() { epoll_shut_down(connection); }
  } const edge{*this};
  int result = 0;
  if (how != SHUT_WR && !stop_reading()) {
    reading_.kernel_shut = true;
    if (how == SHUT_RD && writing_.shut) reading_.parted = true;
    result = real::shutdown(fd, SHUT_RD);
  } else if (how == SHUT_RD) {
    result = peer_is_there(fd);
  }
  if (how == SHUT_RD) return result;
  // The FIN goes behind what the socket did not take yet, whenever that leaves.
  LockGuard guard(writing_.lock, false);
  if (may_touch(guard) && outbox().urgent() && !writing_.sending) {
    writing_.finish = true;
    epoll_outbox_waits(*this);
    return result;
  }
  if (end_stream(fd) == 0) return result;
  return said && errno == ENOTCONN ? 0 : -1;  // see Reading::parted
}

// Once the FIN has left, a kernel that knows of SHUT_RD answers whatever still comes with a
// reset, the peer's close_notify as well. Ours has told of the end; the FIN waits for the
// peer's, or close(2).
int Connection::end_stream(int fd) {
  const bool wakes = reading_.other_pollers != 0;  // by POLLHUP alone
  if (reading_.kernel_shut && writing_.ended && !wakes && !has_sent_fin(fd))
    return peer_is_there(fd);
  return real::shutdown(fd, SHUT_WR);
}

bool Connection::stop_reading() {
  LockGuard guard(reading_.lock, false);
  reading_.shut = true;
  if (!may_touch(guard)) return false;
  settle_inbox();
  return reading_.pollers == 0 && reading_.other_pollers == 0;
}

bool Connection::say_goodbye(int fd, int64_t until) {
  if (state() != State::open) return false;
  bool left = false, said = false;
  const int saved_errno = errno;
  LockGuard guard(writing_.lock, false);
  if (guard.held() && !is_torn(fd, guard.result())) {
    if (!writing_.ended) {
      said = true;
      writing_.ended = true;
      append_alert(engine::Alert::close_notify, false);
    }
    while (!(left = flush(fd, MSG_DONTWAIT)) && errno == EAGAIN && process::now() < until) {
      pollfd writable{fd, POLLOUT, 0};
      const timespec tick{.tv_sec = 0, .tv_nsec = 100'000'000};
      const Parked parked(writing_.lock);  // a reader need not wait: by reading it may make room
      real::ppoll(&writable, 1, &tick, nullptr);
    }
  }
  errno = saved_errno;
  return said && left;
}

// Data that came and that nobody will read makes TCP end a connection by a reset, with
// which what was not sent yet is lost (RFC 2525, 2.17).
bool Connection::has_unread_data(int fd) {
  const int saved_errno = errno;
  LockGuard guard(reading_.lock, false);
  bool unread = false;
  if (may_touch(guard) && state() == State::open && !reading_.receiving) {
    if (open_desk() && inbox().plain_length == 0 && !reading_.ended) gather(fd, 1, MSG_DONTWAIT);
    unread = has_desk() && inbox().plain_length != 0;
    settle_inbox();
  }
  errno = saved_errno;
  return unread;
}

void Connection::reset_by_close(int fd) {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  real::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

int64_t Connection::close_timeout() const {
  return std::chrono::nanoseconds(rule().settings().close_timeout).count();
}

void Connection::part(int fd, int64_t since) {
  linger wish{};
  socklen_t length = sizeof wish;
  if (real::getsockopt(fd, SOL_SOCKET, SO_LINGER, &wish, &length) == 0 && wish.l_onoff != 0 &&
      wish.l_linger == 0) {
    return;
  }
  if (has_unread_data(fd)) {
    reset_by_close(fd);
    return;
  }
  if (state() == State::open) say_goodbye(fd, since + close_timeout());
  swallow_control(fd);
  if (unsent_bytes() == 0 || state() != State::open || writing_.sending) return;
  pollfd socket{fd, POLLOUT, 0};
  if (real::poll(&socket, 1, 0) > 0 && (socket.revents & (POLLERR | POLLHUP)) != 0) return;
  // What the program was told is sent will be: TCP would see to it by itself.
  const int saved_errno = errno;
  if (const int end = start_relay(fd); end >= 0) real::close(end);
  errno = saved_errno;
}

void before_close(int fd) {
  const SlotRef slot = fd_table::find(fd);
  Connection* const connection = as_connection(slot);
  if (connection == nullptr || !connection->is_protected() || !is_last_descriptor(*slot.get()))
    return;
  connection->part(fd, process::now());
}

// Input that nobody will read would turn the FIN of close(2) into a reset, which
// may overtake what was just sent: tickets and the peer's close_notify are taken
// off the queue.
void Connection::swallow_control(int fd) {
  const int saved_errno = errno;
  LockGuard guard(reading_.lock, false);
  if (may_touch(guard) && state() == State::open && !reading_.ended && !reading_.receiving &&
      open_desk()) {
    if (inbox().drained()) gather(fd, 1, MSG_DONTWAIT);
    settle_inbox();
  } else if (guard.held() && state() == State::failed) {
    uint8_t waste[4096];
    for (int i = 0; i < 16 && real::recv(fd, waste, sizeof waste, MSG_DONTWAIT) > 0; ++i) {
    }
  }
  errno = saved_errno;
}

}  // namespace gaiter::shim
