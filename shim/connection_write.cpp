// The program's bytes in, ciphertext out.
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shim/connection.h"
#include "shim/epoll_set.h"
#include "shim/real.h"
#include "shim/refusal.h"

namespace gaiter::shim {

namespace {

using engine::IovCursor;

// What one system call carries: full records, so that a reader finds no tail.
constexpr size_t batch_plaintext = 4 * engine::max_plaintext;
constexpr size_t control_room = 2 * (engine::max_seal_overhead + 5);

class Batch {
 public:
  Batch() : data_(static_cast<uint8_t*>(arena::allocate(arena::Block::batch))) {}
  ~Batch() { arena::release(arena::Block::batch, data_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  uint8_t* data() const { return data_; }
  uint8_t* give_up() { return std::exchange(data_, nullptr); }

 private:
  uint8_t* data_;
};

}  // namespace

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
bool Connection::flush(int fd, int flags) {
  Outbox& outbox = writing_.outbox;
  while (outbox.length != 0) {
    ssize_t sent;
    {
      const Parked parked(writing_.lock);
      sent = real::send(fd, outbox.data + outbox.at, outbox.length,
                        (flags & MSG_DONTWAIT) | MSG_NOSIGNAL);
    }
    if (sent < 0) {
      if (errno == EINTR && (flags & MSG_DONTWAIT) != 0) continue;
      return false;
    }
    outbox.deferred = false;
    outbox.at += static_cast<uint32_t>(sent);
    outbox.length -= static_cast<uint32_t>(sent);
  }
  release_outbox();
  return true;
}

// What the reading side promised the peer.
void Connection::pay_debts() {
  uint8_t sealed[control_room];
  if (writing_.owes_update.exchange(false) || engine::key_update_due(writing_.state))
    append(sealed, engine::seal_key_update(writing_.state, false, sealed), true);
  if (writing_.owes_refusal.exchange(false))
    append(sealed, engine::seal_alert(writing_.state, engine::Alert::no_renegotiation, sealed),
           true);
}

// From the reading side: at once if nobody is writing, else the writer will.
void Connection::settle_debts(int fd) {
  LockGuard guard(writing_.lock, false);
  if (!guard.held() || writing_.ended) return;
  const int saved_errno = errno;
  pay_debts();
  flush(fd, MSG_DONTWAIT);
  errno = saved_errno;
}

void Connection::send_alert(int fd, engine::Alert alert) {
  LockGuard guard(writing_.lock, false);
  if (!guard.held() || writing_.ended) return;
  uint8_t sealed[control_room];
  writing_.ended = true;
  append(sealed, engine::seal_alert(writing_.state, alert, sealed), false);
  flush(fd, MSG_DONTWAIT);
}

// Sends one batch. Returns `length` or -1 with errno if nothing of it can ever be
// sent; what the socket did not take now waits in the outbox, which counts as
// sent: a sealed record cannot be taken back.
ssize_t Connection::send_batch(int fd, uint8_t* batch, uint32_t length, int flags) {
  ssize_t sent;
  {
    const Parked parked(writing_.lock);
    sent = real::send(fd, batch, length, (flags & (MSG_DONTWAIT | MSG_MORE)) | MSG_NOSIGNAL);
  }
  if (sent == static_cast<ssize_t>(length)) return sent;
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) return -1;
    sent = 0;
  }
  return sent;
}

ssize_t Connection::transmit(int fd, IovCursor from, size_t length, int flags) {
  if (state() != State::open && secure(fd, flags, SO_SNDTIMEO) != 0) {
    if (errno == EPIPE) return broken_pipe(flags);
    return -1;
  }
  LockGuard guard(writing_.lock, false);
  if (!guard.held()) {
    if (guard.result() == LockResult::busy && (flags & MSG_DONTWAIT) == 0 && is_blocking(fd)) {
      LockGuard patient(writing_.lock, true);
      if (patient.held()) return write_locked(fd, from, length, flags);
    }
    errno = EAGAIN;
    return -1;
  }
  if (guard.result() == LockResult::acquired_from_dead)
    break_off(fd, "internal", "a process died in the middle of a write");
  return write_locked(fd, from, length, flags);
}

// Whether new data may be sealed now; if not, -1 and errno (0 = go on).
int Connection::ready_to_write(int fd, int flags) {
  if (state() == State::failed) {
    errno = error();
    return -1;
  }
  if (writing_.ended) return static_cast<int>(broken_pipe(flags));
  if (writing_.outbox.urgent() && !flush(fd, flags)) {
    if (errno == EPIPE) return static_cast<int>(broken_pipe(flags));
    return -1;
  }
  if (writing_.owes_update.load(std::memory_order_relaxed) ||
      writing_.owes_refusal.load(std::memory_order_relaxed) ||
      engine::key_update_due(writing_.state)) {
    pay_debts();
  }
  return 0;
}

ssize_t Connection::write_locked(int fd, IovCursor& from, size_t length, int flags) {
  if (ready_to_write(fd, flags) != 0) return -1;
  size_t total = 0;
  while (length != 0) {
    Batch batch;
    if (batch.data() == nullptr) {
      errno = ENOMEM;
      break;
    }
    uint32_t at = take_deferred(batch.data());
    const size_t chunk = std::min(length, batch_plaintext - std::min<size_t>(at, batch_plaintext));
    for (size_t left = chunk; left != 0;) {
      const size_t record = std::min(left, engine::max_plaintext);
      const size_t sealed = engine::seal(writing_.state, engine::ContentType::application_data,
                                         from, record, batch.data() + at);
      if (sealed == 0) {
        break_off(fd, "exhausted", "no sequence number is left");
        errno = error();
        return total != 0 ? static_cast<ssize_t>(total) : -1;
      }
      at += static_cast<uint32_t>(sealed);
      left -= record;
    }
    const ssize_t sent = send_batch(fd, batch.data(), at, flags);
    if (sent < 0) {
      if (total != 0) return static_cast<ssize_t>(total);
      return errno == EPIPE ? broken_pipe(flags) : -1;
    }
    total += chunk;
    length -= chunk;
    if (sent != static_cast<ssize_t>(at)) {
      const auto done = static_cast<uint32_t>(sent);
      writing_.outbox = {batch.give_up(), arena::Block::batch, done, at - done, false};
      writing_.urgent.store(true, std::memory_order_release);
      epoll_outbox_waits(*this);
      break;
    }
  }
  return total != 0 || length == 0 ? static_cast<ssize_t>(total) : -1;
}

// Moves deferred bytes to the front of a batch, so that they go with its data.
uint32_t Connection::take_deferred(uint8_t* batch) {
  Outbox& outbox = writing_.outbox;
  const uint32_t length = outbox.length;
  if (length == 0) [[likely]]
    return 0;
  std::memcpy(batch, outbox.data + outbox.at, length);
  release_outbox();
  return length;
}

// sendfile(2): what is read from the file lies where it is then sealed in place.
ssize_t Connection::transmit_file(int fd, int in, off_t* offset, size_t count) {
  if (state() != State::open && secure(fd, 0, SO_SNDTIMEO) != 0) return -1;
  LockGuard guard(writing_.lock, false);
  if (!guard.held()) {
    errno = EAGAIN;
    return -1;
  }
  if (ready_to_write(fd, MSG_NOSIGNAL) != 0) return -1;
  size_t total = 0;
  off_t at_offset = offset != nullptr ? *offset : 0;
  while (count != 0) {
    Batch batch;
    if (batch.data() == nullptr) {
      errno = ENOMEM;
      break;
    }
    uint32_t at = take_deferred(batch.data());
    const size_t head = engine::plaintext_offset(writing_.state);
    iovec pieces[4];
    int used = 0;
    size_t asked = 0;
    for (size_t where = at; asked < count && used < 4 - (at != 0); ++used) {
      const size_t record = std::min(count - asked, engine::max_plaintext);
      pieces[used] = {batch.data() + where + head, record};
      where += engine::sealed_length(writing_.state, record);
      asked += record;
    }
    const ssize_t got =
        offset != nullptr ? preadv(in, pieces, used, at_offset) : real::readv(in, pieces, used);
    if (got <= 0) {
      if (at != 0) append(batch.data(), at, true);
      if (total != 0) break;
      return got;
    }
    auto left = static_cast<size_t>(got);
    for (int i = 0; left != 0; ++i) {
      iovec piece = pieces[i];
      piece.iov_len = std::min(piece.iov_len, left);
      IovCursor from(&piece, 1);
      left -= piece.iov_len;
      const size_t sealed =
          engine::seal(writing_.state, engine::ContentType::application_data, from, piece.iov_len,
                       static_cast<uint8_t*>(piece.iov_base) - head);
      if (sealed == 0) {
        break_off(fd, "exhausted", "no sequence number is left");
        errno = error();
        return total != 0 ? static_cast<ssize_t>(total) : -1;
      }
      at += static_cast<uint32_t>(sealed);
    }
    const ssize_t sent = send_batch(fd, batch.data(), at, 0);
    if (sent < 0) {
      if (total != 0) break;
      return errno == EPIPE ? broken_pipe(0) : -1;
    }
    total += static_cast<size_t>(got);
    at_offset += got;
    count -= static_cast<size_t>(got);
    if (sent != static_cast<ssize_t>(at)) {
      const auto done = static_cast<uint32_t>(sent);
      writing_.outbox = {batch.give_up(), arena::Block::batch, done, at - done, false};
      writing_.urgent.store(true, std::memory_order_release);
      epoll_outbox_waits(*this);
      break;
    }
    if (static_cast<size_t>(got) < asked) break;  // end of file
  }
  if (offset != nullptr) *offset = at_offset;
  return static_cast<ssize_t>(total);
}

}  // namespace gaiter::shim
