// Ciphertext in, the program's bytes out.
#include <netinet/tcp.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/alerts.h"
#include "shim/call_lock.h"
#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/desk.h"
#include "shim/epoll_set.h"
#include "shim/fd_table.h"
#include "shim/memory.h"
#include "shim/private_part.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/refusal.h"
#include "shim/tcp.h"

namespace gaiter::shim {

namespace {

using engine::IovCursor;
using engine::Receipt;
using engine::Received;

// Each record of a full sink costs this much more on the wire (TLS 1.3).
constexpr size_t record_overhead = engine::record_header_length + 1 + engine::aead_tag_length;

// What recv is asked for to fill `room` bytes exactly, were all records full, and
// at least one whole record.
size_t wire_size(size_t room) {
  const size_t records = room / engine::max_plaintext + 1;
  return std::max(room + records * record_overhead, engine::max_record_length);
}

}  // namespace

// After the inbox changed: puts it back, and keeps the hint true.
void Connection::settle_inbox() {
  if (!reading_.lock.is_mine()) return;  // see keeps()
  // Cut off: what was taken must not be lost with the desk.
  if (has_desk() && reading_.receiving) recover_input(still(-1));
  const Reading::Left left = reading_.left;
  if (!has_desk() && left.plain + left.cipher != 0) open_desk();
  const engine::Inbox inbox = has_desk() ? this->inbox() : engine::Inbox{};
  auto hint = Reading::Hint::nothing;
  if (inbox.plain_length >= least_visible() || reading_.ended || reading_.cut_off ||
      reading_.error != 0 || reading_.shut || state() == State::failed) {
    hint = Reading::Hint::something;
  } else if (inbox.cipher_length != 0 && engine::has_whole_record(inbox)) {
    hint = Reading::Hint::unsure;
  }
  close_desk();
  reading_.hint.store(hint, std::memory_order_release);
  // What was taken from the kernel is no longer seen by those who wait for it.
  const void* const asking = holder().asking;
  if (reading_.fetched && hint != Reading::Hint::nothing && has_registrations()) {
    epoll_data_arrived(*this, static_cast<const Registration*>(asking));
  } else if (hint == Reading::Hint::nothing && kicked.load(std::memory_order_relaxed)) {
    epoll_data_taken(*this);
  }
  reading_.fetched = false;
}

// One recv(2) of about `wanted` bytes behind what the inbox holds. As recv.
ssize_t Connection::fill(int fd, size_t wanted, int flags) {
  if (!keeps(reading_.lock)) return -1;
  engine::Inbox& inbox = this->inbox();
  uint32_t end = inbox.cipher_at + inbox.cipher_length;
  if (inbox.capacity - end < wanted) {
    std::memmove(inbox.data, inbox.data + inbox.plain_at, inbox.plain_length);
    std::memmove(inbox.data + inbox.plain_length, inbox.data + inbox.cipher_at,
                 inbox.cipher_length);
    inbox.plain_at = 0;
    inbox.cipher_at = inbox.plain_length;
    end = inbox.cipher_at + inbox.cipher_length;
  }
  const size_t room = std::min<size_t>(wanted, inbox.capacity - end);
  // A number that was closed meanwhile may lead to another connection by now.
  fd = fd_table::number_for(*this, fd);
  if (room == 0 || fd < 0) {
    errno = room == 0 ? ENOBUFS : EBADF;
    return -1;
  }
  if (reading_.pollers.load(std::memory_order_relaxed) != 0 && !let_pollers_see(fd, flags))
    return -1;
  if (!keeps(reading_.lock)) return -1;
  reading_.receiving = true;
  const bool may_sleep = (flags & MSG_DONTWAIT) == 0 && reading_.drained;
  ssize_t got;
  if ((flags & MSG_DONTWAIT) != 0) {
    got = real::recv(fd, inbox.data + end, room, MSG_DONTWAIT);
  } else {
    const Asleep asleep(*this);
    got = real::recv(fd, inbox.data + end, room, 0);
  }
  if (!keeps(reading_.lock)) return -1;
  reading_.receiving = false;
  if (got == 0 && reading_.shut && !has_sent_fin(fd)) {
    errno = EAGAIN;  // shutdown(SHUT_RD) woke us; what comes after it can still be read
    got = -1;
  }
  if (got < 0 && reading_.parted && errno == ECONNRESET) got = 0;
  // EBADF: the number was closed, and a signal made the kernel look it up anew.
  if (got < 0 && errno != EAGAIN && errno != EINTR && errno != EBADF) reading_.error = errno;
  reading_.drained = got < static_cast<ssize_t>(room);
  if (got >= 0) reading_.fetched = true;
  if (got > 0) {
    inbox.cipher_length += static_cast<uint32_t>(got);
    reading_.taken.store(taken() + static_cast<uint64_t>(got), std::memory_order_relaxed);
    if (may_sleep) let_stream_gather(fd);
  }
  return keeps(reading_.lock) ? got : -1;
}

engine::TicketSink Connection::ticket_sink() {
  if (!reading_.expects_tickets) return {};
  return {[](void* self, const uint8_t* record, size_t length) {
            PrivatePart* const mine = static_cast<Connection*>(self)->private_part();
            if (mine != nullptr && mine->tickets != nullptr) mine->tickets->take({record, length});
          },
          this};
}

// Acts on what the record layer told. 0 = go on, 1 = the stream has ended, -1 =
// errno.
int Connection::digest(int fd, const Received& received) {
  if (reading_.expects_tickets && has_desk() && holder().desk->state.past_tickets) {
    reading_.expects_tickets = false;
    drop_private_part();
  }
  switch (received.what) {
    case Receipt::need_input:
    case Receipt::sink_full:
      return 0;
    case Receipt::closed:
      reading_.ended = true;
      return 1;
    case Receipt::key_update:
      writing_.owes_update.store(true, std::memory_order_release);
      settle_debts(fd);
      return 0;
    case Receipt::refuse_renegotiation:
      log_renegotiation(*this, fd);
      writing_.owes_refusal.store(true, std::memory_order_release);
      settle_debts(fd);
      return 0;
    case Receipt::idle:
      if (holder().desk->state.idle_records < engine::max_idle_records || grant_idle_records())
        return 0;
      send_alert(fd, engine::Alert::unexpected_message);
      break_off(fd, "protocol", "too many records in a row without data");
      errno = error();
      return -1;
    case Receipt::peer_alert:
      break_off(fd, "peer_alert", engine::alert_name(static_cast<uint8_t>(received.alert)));
      errno = error();
      return -1;
    case Receipt::failed:
      send_alert(fd, received.alert);
      break_off(fd, "protocol", received.reason);
      errno = error();
      return -1;
  }
  return 0;
}

// An open connection that cannot go on.
void Connection::break_off(int fd, const char* cause, const char* reason) {
  log_broken(*this, fd, cause, reason);
  fail(ECONNRESET);
  real::shutdown(fd, SHUT_WR);
}

ssize_t Connection::receive(int fd, IovCursor sink, int flags) {
  if (state() != State::open && secure(fd, flags, SO_RCVTIMEO) != 0)
    return holder().is_clear ? receive_clear(fd, sink, flags) : -1;
  return with_call_lock(reading_.lock, fd, flags, SO_RCVTIMEO,
                        [&](LockResult lock) { return read_locked(fd, lock, sink, flags); });
}

// What the kernel could not write to either is left out, with all that is behind it.
bool Connection::takes_data(int fd, IovCursor& sink) const {
  const engine::Inbox& inbox = this->inbox();
  if (inbox.plain_length == 0 && !engine::has_whole_record(inbox)) return true;
  size_t covered = 0;
  for (size_t i = 0; i < sink.pieces() && covered < inbox.capacity; ++i) {
    const iovec piece = sink.piece(i);
    if (piece.iov_len == 0 || memory::can_write(fd, piece.iov_base)) {
      covered += piece.iov_len;
      continue;
    }
    sink.end_behind(i);
    errno = EFAULT;
    return covered != 0;
  }
  return true;
}

ssize_t Connection::read_locked(int fd, LockResult lock, IovCursor& sink, int flags) {
  if (lock == LockResult::acquired_from_dead)
    break_off(fd, "internal", "a read was cut off in the middle of a record");
  if (lock == LockResult::lost) {
    break_off(fd, "internal", "another process reads, of which nothing can be told");
    errno = error();
    return -1;
  }
  if (reading_.receiving) recover_input(fd);
  struct Settled {
    Connection& connection;
    ~Settled() {
      const bool paused = connection.has_paused();
      connection.settle_inbox();
      if (paused) epoll_rest_unopened(connection);
    }
  } settled{*this};
  if (state() == State::failed) {
    errno = error();
    return -1;
  }
  // To receive nothing is to wait until something could be received.
  if (sink.empty()) return gather(fd, 1, flags) ? 0 : -1;
  if ((flags & MSG_PEEK) != 0) return peek_locked(fd, sink, flags);

  const bool all = (flags & MSG_WAITALL) != 0;
  const size_t least = all ? sink.remaining() : least_of(sink.remaining());
  const CallDeadline deadline(SO_RCVTIMEO, flags);
  bool has_waited = false;
  size_t total = 0;
  if (!open_desk()) return -1;
  holder().desk->state.idle_in_call = 0;
  for (;;) {
    if (!open_desk() || !takes_data(fd, sink)) return total != 0 ? static_cast<ssize_t>(total) : -1;
    // What was read ahead came before the end.
    if (reading_.ended) total += engine::deliver_opened(inbox(), sink);
    if (!reading_.ended && !inbox().drained()) {
      Received received;
      do {
        received = engine::receive(holder().desk->state, inbox(), sink, ticket_sink());
        total += received.delivered;
        const int verdict = digest(fd, received);
        if (verdict < 0) return total != 0 ? static_cast<ssize_t>(total) : -1;
        if (verdict > 0) break;
      } while (received.what == Receipt::key_update ||
               received.what == Receipt::refuse_renegotiation ||
               (received.what == Receipt::idle && !has_paused()));
    }
    if (sink.empty() || reading_.ended) return static_cast<ssize_t>(total);
    if (has_paused()) {
      if (total < least && go_on_after_pause(fd, flags)) continue;
      return total != 0 ? static_cast<ssize_t>(total) : -1;
    }
    if (reading_.cut_off || reading_.error != 0) {
      if (total != 0) return static_cast<ssize_t>(total);
      report_end();
      return -1;
    }
    // A short count tells the program that nothing is left (epoll(7)).
    if (total >= least && reading_.drained) return static_cast<ssize_t>(total);
    if (has_waited) fd = still(fd);
    const bool may_wait = (flags & MSG_DONTWAIT) == 0 && total < least && !reading_.shut;
    if (may_wait && writing_.urgent.load(std::memory_order_relaxed)) {
      if (!await_input(fd, total != 0)) return total != 0 ? static_cast<ssize_t>(total) : -1;
      has_waited = true;
    }
    int64_t until = 0;
    if (may_wait) until = total != 0 ? deadline.of_rest(fd) : has_waited ? deadline.of(fd) : 0;
    if (until != 0 && !await_more(fd, until)) return total != 0 ? static_cast<ssize_t>(total) : -1;
    has_waited = may_wait;
    const ssize_t got =
        fill(fd, wire_size(sink.remaining()), may_wait && until == 0 ? 0 : MSG_DONTWAIT);
    if (got == 0) note_end(fd);
    if (got < 0 && until != 0 && errno == EAGAIN) continue;
    if (got >= 0 || reading_.error != 0) continue;
    const bool at_end = reading_.shut && errno == EAGAIN;
    return total != 0 || at_end ? static_cast<ssize_t>(total) : -1;
  }
}

// Puts the reason why nothing comes any more into errno: that TCP broke is told
// once, as TCP itself does; that the stream was cut off, always.
void Connection::report_end() {
  errno = ECONNRESET;
  if (reading_.error == 0) return;
  errno = std::exchange(reading_.error, 0);
  reading_.ended = true;
}

// Waits until a blocking recv would return. Sealed bytes that the socket did not
// take go out meanwhile: the peer may answer only to them.
// `has_some`: the call has something to give, so that any signal ends it.
bool Connection::await_input(int fd, bool has_some) {
  if (!is_blocking(fd)) return true;
  const int64_t until = wait_limit(fd, SO_RCVTIMEO);
  const Asleep asleep(*this);
  while (writing_.urgent.load(std::memory_order_acquire)) {
    const int seen = await_events(fd, POLLIN | POLLOUT, until);
    if (seen < 0) {
      if (!has_some && goes_on_after_signal(until)) continue;
      return false;
    }
    if ((seen & ~POLLOUT) != 0) return true;
    LockGuard guard(writing_.lock, false);  // a writer sees to it himself
    if (!guard.held() || is_torn(fd, guard.result())) return true;
    if (!flush(fd, MSG_DONTWAIT) && errno != EAGAIN) return true;
  }
  return true;
}

// Until the kernel has more, or that time; then EAGAIN, as of SO_RCVTIMEO.
bool Connection::await_more(int fd, int64_t until) {
  const Asleep asleep(*this);
  return await_events(fd, POLLIN, until) >= 0;
}

// FIN came: right after close_notify, or the stream was cut off.
void Connection::note_end(int fd) {
  if (reading_.ended || reading_.cut_off) return;
  if (reading_.shut || reading_.told || rule().settings().truncation == policy::Truncation::eof) {
    reading_.ended = true;
    return;
  }
  reading_.cut_off = true;
  log_broken(*this, fd, "truncated", "the peer ended TCP without close_notify");
}

}  // namespace gaiter::shim
