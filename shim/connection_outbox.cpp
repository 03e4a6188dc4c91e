// Sealed bytes on their way to the socket, and those that wait for room in it.
#include <poll.h>

#include <cerrno>
#include <cstring>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/fd_table.h"
#include "shim/real.h"

namespace gaiter::shim {

void Connection::release_outbox() {
  Outbox& outbox = writing_.outbox;
  if (outbox.data != nullptr) arena::release(outbox.block, outbox.data);
  outbox = {};
  writing_.urgent.store(false, std::memory_order_release);
}

// Puts sealed bytes behind those that wait.
bool Connection::append(const uint8_t* data, size_t length, bool deferred) {
  if (length == 0) return true;
  Outbox& outbox = writing_.outbox;
  const bool was_waiting = outbox.length != 0;
  if (outbox.data == nullptr || outbox.at + outbox.length + length > arena::size_of(outbox.block)) {
    const size_t needed = outbox.length + length;
    if (needed > arena::batch_size) return false;
    const auto block = needed <= arena::page_size ? arena::Block::page : arena::Block::batch;
    auto* const fresh = static_cast<uint8_t*>(arena::allocate(block));
    if (fresh == nullptr) return false;
    if (was_waiting) std::memcpy(fresh, outbox.data + outbox.at, outbox.length);
    const Outbox moved{fresh, block, 0, outbox.length, outbox.deferred};
    release_outbox();
    outbox = moved;
  }
  std::memcpy(outbox.data + outbox.at + outbox.length, data, length);
  outbox.length += static_cast<uint32_t>(length);
  outbox.deferred = deferred && (!was_waiting || outbox.deferred);
  writing_.urgent.store(outbox.urgent(), std::memory_order_release);
  return true;
}

// Sends what waits; true if nothing is left, else errno.
bool Connection::flush(int fd, int flags, int64_t until) {
  Outbox& outbox = writing_.outbox;
  while (outbox.length != 0) {
    const uint8_t* const from = outbox.data + outbox.at;
    const ssize_t sent = until != 0 ? send_until(fd, from, outbox.length, 0, until)
                                    : send_sealed(fd, from, outbox.length, flags & MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR && (flags & MSG_DONTWAIT) != 0) continue;
      return false;
    }
    outbox.deferred = false;
    outbox.at += static_cast<uint32_t>(sent);
    outbox.length -= static_cast<uint32_t>(sent);
  }
  release_outbox();
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
