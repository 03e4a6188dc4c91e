// Reading ahead of the program: what MSG_PEEK, FIONREAD and readiness must know.
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/desk.h"
#include "shim/epoll_set.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

using engine::IovCursor;
using engine::Received;

// For gather(), beside MSG_ flags: an error that TCP reports once is kept for a read.
constexpr int keep_error = MSG_ERRQUEUE;

}  // namespace

// Opens one more record in the inbox and puts its data behind what is there.
// False if no whole record is left.
bool Connection::open_next(int fd) {
  engine::Inbox& inbox = this->inbox();
  if (reading_.ended || !engine::has_whole_record(inbox)) return false;
  engine::Inbox next = inbox;
  next.plain_length = 0;
  const Received received = engine::open_in_place(holder().desk->state, next, ticket_sink());
  if (next.plain_length != 0 && inbox.plain_length != 0) {
    const uint32_t end = inbox.plain_at + inbox.plain_length;
    std::memmove(inbox.data + end, inbox.data + next.plain_at, next.plain_length);
    next.plain_at = inbox.plain_at;
  } else if (next.plain_length == 0) {
    next.plain_at = inbox.plain_at;
  }
  next.plain_length += inbox.plain_length;
  inbox = next;
  return digest(fd, received) == 0 && !has_paused();
}

// Has up to `wanted` bytes opened in the inbox; one recv at most by `flags`'
// leave, more without waiting.
bool Connection::gather(int fd, size_t wanted, int flags) {
  const CallDeadline deadline(SO_RCVTIMEO, flags);
  bool asked = false;
  if (!open_desk()) return false;
  holder().desk->state.idle_in_call = 0;
  for (;;) {
    if (!open_desk()) return false;
    while (inbox().plain_length < wanted && open_next(fd)) {
    }
    if (state() == State::failed) {
      errno = error();
      return false;
    }
    engine::Inbox& inbox = this->inbox();
    const bool some = inbox.plain_length != 0;
    const bool enough = inbox.plain_length >= least_of(wanted);
    const bool all = (flags & MSG_WAITALL) != 0;
    if (inbox.plain_length >= wanted || reading_.ended ||
        (asked && reading_.drained && enough && !all)) {
      return true;
    }
    if (has_paused()) {
      if (some || !go_on_after_pause(fd, flags)) return some;
      continue;
    }
    if (reading_.cut_off || reading_.error != 0) {
      if (!some && (flags & keep_error) == 0) report_end();
      return some;
    }
    const size_t room = inbox.capacity - inbox.plain_length - inbox.cipher_length;
    if (room == 0) return true;
    if (asked) fd = still(fd);
    const bool may_wait = (flags & MSG_DONTWAIT) == 0 && (!enough || all) && !reading_.shut;
    const bool flushed = may_wait && writing_.urgent.load(std::memory_order_relaxed);
    if (flushed && !await_input(fd, some)) return some;
    int64_t until = 0;
    if (may_wait) until = some ? deadline.of_rest(fd) : asked || flushed ? deadline.of(fd) : 0;
    if (until != 0 && !await_more(fd, until)) return some;
    const ssize_t got = fill(fd, room, may_wait && until == 0 ? 0 : MSG_DONTWAIT);
    asked = true;
    if (got == 0) note_end(fd);
    if (got < 0 && until != 0 && errno == EAGAIN) continue;
    if (got < 0 && reading_.error == 0) return some || (reading_.shut && errno == EAGAIN);
  }
}

ssize_t Connection::peek_locked(int fd, IovCursor& sink, int flags) {
  const size_t wanted = sink.remaining();
  if (!gather(fd, wanted, flags)) return -1;
  if (!takes_data(fd, sink)) return -1;
  const size_t length = std::min<size_t>(wanted, inbox().plain_length);
  sink.copy_in(inbox().data + inbox().plain_at, length);
  return static_cast<ssize_t>(length);
}

ssize_t Connection::count(int fd, size_t length, int flags) {
  uint8_t last;
  const iovec piece{&last, 1};
  const ssize_t got = receive(fd, IovCursor(&piece, 1), flags);
  if (got <= 0) return got;
  return std::min(static_cast<ssize_t>(length), readable_bytes(fd));
}

ssize_t Connection::readable_bytes(int fd) {
  if (step(fd) != Progress::done) {
    int waiting = 0;
    if (holder().is_clear) real::ioctl(fd, FIONREAD, &waiting);
    return waiting;
  }
  LockGuard guard(reading_.lock, false);
  if (!may_touch(guard)) return 0;
  const int saved_errno = errno;
  if (reading_.receiving) recover_input(fd);
  gather(fd, arena::batch_size, MSG_DONTWAIT | keep_error);
  errno = saved_errno;
  const auto length = has_desk() ? static_cast<ssize_t>(inbox().plain_length) : 0;
  settle_inbox();
  // What does not fit in the inbox is not counted. Who counts then reads no further (nginx).
  if (!reading_.ended && !reading_.cut_off && arrived(fd) != taken()) epoll_rest_uncounted(*this);
  if (has_paused()) epoll_rest_unopened(*this);
  return length;
}

// In this order: what another thread takes meanwhile may be counted in neither, but not
// in both.
uint64_t Connection::arrived(int fd) const {
  const uint64_t before = taken();
  int waiting = 0;
  if (!reading_.drained && real::ioctl(fd, FIONREAD, &waiting) != 0) waiting = 0;
  const bool over = reading_.ended || reading_.cut_off;
  return before + static_cast<unsigned>(waiting) + (over ? 1 : 0);
}

int Connection::take_read_error(int fd) {
  LockGuard guard(reading_.lock, false);
  const bool mine = may_touch(guard);
  int taken = mine ? std::exchange(reading_.error, 0) : 0;
  socklen_t length = sizeof taken;
  if (taken == 0) real::getsockopt(fd, SOL_SOCKET, SO_ERROR, &taken, &length);
  if (reading_.parted) taken = 0;
  if (!mine) return taken;
  // Only of what ends a connection: behind any other error (an unreachable network, for
  // one) a forged FIN would pass for the true end.
  if (taken == ECONNRESET || taken == EPIPE) reading_.told = true;
  settle_inbox();
  return taken;
}

// For readiness: whether a read would give something now. Reads ahead.
bool Connection::pull(int fd, const Registration* asking) {
  LockGuard guard(reading_.lock, false);
  if (!may_touch(guard)) return true;  // another thread is about to find out
  holder().asking = asking;
  if (state() == State::open && !reading_.ended && !reading_.cut_off) {
    const int saved_errno = errno;
    if (reading_.receiving) recover_input(fd);
    gather(fd, least_visible(), MSG_DONTWAIT | keep_error);
    errno = saved_errno;
  }
  const bool paused = has_paused();
  settle_inbox();
  holder().asking = nullptr;
  if (paused) epoll_rest_unopened(*this);
  return reading_.hint.load(std::memory_order_relaxed) == Reading::Hint::something;
}

}  // namespace gaiter::shim
