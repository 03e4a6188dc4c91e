// Sealed bytes on their way to the socket, and those that wait for room in it.
#include <poll.h>

#include <cerrno>
#include <cstring>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/fd_table.h"
#include "shim/real.h"

namespace gaiter::shim {

// As it lies in shared memory, if it can be.
Outbox Connection::outbox() const {
  Outbox outbox = writing_.outbox;
  if (outbox.length > arena::bulk_size || outbox.at > arena::bulk_size - outbox.length)
    outbox.at = outbox.length = 0;
  return outbox;
}

void Connection::release_outbox() {
  const Outbox before = outbox();
  writing_.outbox = {};
  writing_.urgent.store(false, std::memory_order_release);
  if (holder().outbox_was_used)
    keep_or_give_back(outbox_bytes(), before.at + before.length, holder().outbox_is_warm);
}

// In place of what was there.
void Connection::set_outbox(const uint8_t* data, uint32_t length, bool deferred) {
  holder().outbox_was_used = true;
  std::memcpy(outbox_bytes(), data, length);
  Outbox fresh{0, length, deferred};
  writing_.outbox = fresh;
  writing_.urgent.store(fresh.urgent(), std::memory_order_release);
}

// Puts sealed bytes behind those that wait.
bool Connection::append(const uint8_t* data, size_t length, bool deferred) {
  if (length == 0) return true;
  Outbox waiting = outbox();
  const bool was_waiting = waiting.length != 0;
  if (waiting.length + length > arena::batch_size) return false;
  uint8_t* const room = outbox_bytes();
  if (waiting.at + waiting.length + length > arena::bulk_size || !was_waiting) {
    std::memmove(room, room + waiting.at, waiting.length);
    waiting.at = 0;
  }
  holder().outbox_was_used = true;
  std::memcpy(room + waiting.at + waiting.length, data, length);
  waiting.length += static_cast<uint32_t>(length);
  waiting.deferred = deferred && (!was_waiting || waiting.deferred);
  writing_.outbox = waiting;
  writing_.urgent.store(waiting.urgent(), std::memory_order_release);
  return true;
}

// Sends what waits; true if nothing is left, else errno.
bool Connection::flush(int fd, int flags, int64_t until) {
  Outbox waiting = outbox();
  if (waiting.length == 0) {
    if (writing_.outbox.length != 0) release_outbox();
    writing_.urgent.store(false, std::memory_order_release);
  }
  while (waiting.length != 0) {
    const uint8_t* const from = outbox_bytes() + waiting.at;
    const ssize_t sent = until != 0 ? send_until(fd, from, waiting.length, 0, until)
                                    : send_sealed(fd, from, waiting.length, flags & MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR && (flags & MSG_DONTWAIT) != 0) continue;
      return false;
    }
    waiting.deferred = false;
    waiting.at += static_cast<uint32_t>(sent);
    waiting.length -= static_cast<uint32_t>(sent);
    writing_.outbox = waiting;
    if (waiting.length == 0) release_outbox();
  }
  if (writing_.finish) {
    writing_.finish = false;
    end_stream(fd);
  }
  return true;
}

// send(2) without SIGPIPE.
ssize_t Connection::send_sealed(int fd, const uint8_t* data, size_t length, int flags) {
  if (!keeps(writing_.lock)) return -1;
  // A number that was closed meanwhile may lead to another connection by now.
  fd = fd_table::number_for(*this, fd);
  if (fd < 0) {
    errno = EBADF;
    return -1;
  }
  writing_.sending = true;
  ssize_t sent;
  {
    const Parked parked(writing_.lock);
    sent = real::send(fd, data, length, flags | MSG_NOSIGNAL);
  }
  if (!keeps(writing_.lock)) return -1;
  writing_.sending = false;
  if (sent > 0) {
    flight_.given.store(flight_.given.load(std::memory_order_relaxed) + static_cast<uint32_t>(sent),
                        std::memory_order_relaxed);
    flight_.at += static_cast<uint32_t>(sent);
  }
  return sent;
}

// As a blocking send_sealed(), which ends at that time.
ssize_t Connection::send_until(int fd, const uint8_t* data, size_t length, int flags,
                               int64_t until) {
  size_t total = 0;
  for (;; fd = still(fd)) {
    const ssize_t sent = send_sealed(fd, data + total, length - total, flags | MSG_DONTWAIT);
    if (sent > 0) total += static_cast<size_t>(sent);
    if (total == length || (sent < 0 && errno != EAGAIN)) break;
    const Parked parked(writing_.lock);
    if (await_events(fd, POLLOUT, until) < 0) break;
  }
  return total != 0 ? static_cast<ssize_t>(total) : -1;
}

}  // namespace gaiter::shim
