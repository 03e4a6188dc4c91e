// The program's bytes in, ciphertext out.
#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "shim/call_lock.h"
#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/epoll_set.h"
#include "shim/fd_table.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/refusal.h"

namespace gaiter::shim {

namespace {

using engine::IovCursor;

// What one system call carries: full records, so that a reader finds no tail. A write that
// is longer makes larger ones of them as long as the socket takes all: whom it wakes finds
// more, and no more is ever sealed for nothing than twice what was taken.
constexpr size_t batch_plaintext = 4 * engine::max_plaintext;
constexpr size_t bulk_plaintext = 16 * engine::max_plaintext;

}  // namespace

// Sealed records on their way, and what it takes to take back those that have not
// left: a record that no other process ever saw may be sealed again.
class Batch {
 public:
  // With room for as much of `plaintext` bytes as there is memory for; data() is nullptr
  // without, or without a mark. Only the first count_ records are ever read.
  // cppcheck-suppress uninitMemberVar
  Batch(size_t plaintext, const engine::HighWater* known) {
    if (known == nullptr) return;
    mark = *known;
    if (plaintext > batch_plaintext) data_ = allocate(arena::Block::bulk);
    if (data_ == nullptr) data_ = allocate(arena::Block::batch);
  }
  ~Batch() { arena::release(block_, data_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  struct Record {
    uint32_t at, plaintext;
    uint64_t sequence;
  };

  uint8_t* data() const { return data_; }
  arena::Block block() const { return block_; }
  size_t room() const { return block_ == arena::Block::bulk ? bulk_plaintext : batch_plaintext; }
  uint8_t* end() const { return data_ + length; }
  uint8_t* give_up() { return std::exchange(data_, nullptr); }
  void take_back(uint8_t* data) { data_ = data; }
  std::span<const Record> records() const { return {records_, count_}; }

  void add(size_t plaintext, size_t sealed, uint64_t sequence) {
    records_[count_++] = {length, static_cast<uint32_t>(plaintext), sequence};
    length += static_cast<uint32_t>(sealed);
  }
  // What is not a record with data: goes first.
  void add_control(const uint8_t* bytes, uint32_t size) {
    std::memcpy(end(), bytes, size);
    length += size;
  }

  // The connection's, as far as this batch has come; the connection's own rises when it is
  // clear how much of it has left.
  engine::HighWater mark;

  static constexpr size_t max_records = bulk_plaintext / engine::max_plaintext + 1;
  uint32_t length = 0;

 private:
  uint8_t* allocate(arena::Block block) {
    block_ = block;
    return static_cast<uint8_t*>(arena::allocate(block));
  }

  uint8_t* data_ = nullptr;
  arena::Block block_ = arena::Block::batch;
  Record records_[max_records];
  size_t count_ = 0;
};

namespace {

// How much may be sealed behind what is in the batch already.
size_t plaintext_room(const Batch& batch, size_t pace) {
  const size_t room = std::min(pace, batch.room());
  return room - std::min<size_t>(batch.length, room);
}

}  // namespace

void Connection::send_alert(int fd, engine::Alert alert) {
  LockGuard guard(writing_.lock, false);
  if (!guard.held() || writing_.ended || is_torn(fd, guard.result())) return;
  writing_.ended = true;
  append_alert(alert, false);
  flush(fd, MSG_DONTWAIT);
}

// After a send took only `sent` bytes of a batch: what is left of a record that has
// begun to leave waits in the outbox; records that have not are taken back, with so many
// plaintext bytes. False: their numbers may be in use.
bool Connection::keep_unsent(Batch& batch, size_t sent, size_t& taken_back) {
  uint32_t keep = batch.length;
  uint64_t number = 0;
  taken_back = 0;
  for (const Batch::Record& record : batch.records()) {
    if (record.at < sent) continue;
    if (taken_back == 0) {
      keep = record.at;
      number = record.sequence;
    }
    taken_back += record.plaintext;
  }
  if (taken_back != 0) {
    engine::WriteState state;
    if (!take_write_state(state)) return false;
    const bool is_certain = engine::take_back(state, batch.mark, number);
    if (is_certain) writing_.state.keys.sequence = state.keys.sequence;
    explicit_bzero(&state, sizeof state);
    if (!is_certain) return false;
  }
  explicit_bzero(batch.data() + keep, batch.length - keep);
  const auto at = static_cast<uint32_t>(sent);
  if (keep == at) return true;
  // Nothing has left: then it is control records, which may go on waiting.
  const bool deferred = sent == 0;
  set_outbox(batch.data() + at, keep - at, deferred);
  if (!deferred) epoll_outbox_waits(*this);
  return true;
}

// A client's first data follows its Finished, for which TCP (RFC 896) would hold it back
// until the server's delayed acknowledgement, 40 ms later; on a plain socket nothing had
// gone before. TCP_NODELAY, which pushes what waits, is on for just that moment.
void Connection::push_behind_finished(int fd) {
  const int saved_errno = errno;
  writing_.behind_finished = false;
  int no_delay = 0;
  socklen_t length = sizeof no_delay;
  real::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &length);
  if (no_delay == 0) {
    for (const int wanted : {1, 0})
      real::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &wanted, sizeof wanted);
  }
  errno = saved_errno;
}

// Sends a batch that holds `plaintext` bytes of the program's. Returns how many of
// them are gone, fewer if the socket took no more; 0 with errno if none are.
size_t Connection::send_batch(int fd, Batch& batch, size_t plaintext, int flags, int64_t until) {
  // If this send is cut off, the batch lives on (connection_recovery.cpp): in this process, or,
  // if that is killed, where others find it.
  Holder& mine = holder();
  uint8_t* const data = batch.give_up();
  mine.flight_block = batch.block();
  mine.flight = data;
  flight_.at = 0;
  flight_.length = batch.length;
  flight_.in_outbox = mine.is_shared && is_held_elsewhere(*this);
  if (flight_.in_outbox) {
    mine.outbox_was_used = true;
    std::memcpy(outbox_bytes(), data, batch.length);
  }
  const ssize_t sent = until == 0 ? send_sealed(fd, data, batch.length, flags)
                                  : send_until(fd, data, batch.length, flags, until);
  if (!keeps(writing_.lock)) {
    break_off(fd, "internal", "another process took a write for cut off that was not");
    errno = error();
    return 0;
  }
  mine.flight = nullptr;
  flight_.length = 0;
  batch.take_back(data);
  if (sent > 0 && writing_.behind_finished) push_behind_finished(fd);
  const bool may_go_on = sent >= 0 || errno == EAGAIN || errno == EINTR;
  const int failure = sent < 0 ? errno : EAGAIN;
  size_t taken_back = 0;
  if (may_go_on && sent != static_cast<ssize_t>(batch.length) &&
      !keep_unsent(batch, static_cast<size_t>(std::max<ssize_t>(sent, 0)), taken_back)) {
    break_off(fd, "internal", "the numbers of records that were not sent may be in use");
    errno = error();
    return 0;
  }
  *high_water() = batch.mark;
  if (sent == static_cast<ssize_t>(batch.length)) return plaintext;
  errno = failure;
  return may_go_on ? plaintext - taken_back : 0;
}

ssize_t Connection::transmit(int fd, IovCursor from, size_t length, int flags) {
  if (is_undecided()) wants_to_speak();
  if (state() != State::open && secure(fd, flags, SO_SNDTIMEO) != 0) {
    if (holder().is_clear) return transmit_clear(fd, from, flags);
    if (errno == EPIPE) return broken_pipe(flags);
    return -1;
  }
  return with_call_lock(writing_.lock, fd, flags, SO_SNDTIMEO, [&](LockResult lock) {
    return write_locked(fd, lock, from, length, flags);
  });
}

// Seals a record of a batch. False: the connection cannot go on.
bool Connection::seal_next(Batch& batch, engine::WriteState& state, IovCursor& from,
                           size_t length) {
  const uint64_t sequence = state.keys.sequence;
  const size_t sealed = engine::seal(state, batch.mark, engine::ContentType::application_data, from,
                                     length, batch.end());
  if (sealed != 0) batch.add(length, sealed, sequence);
  return sealed != 0;
}

// Whether new data may be sealed now; if not, -1 and errno (0 = go on).
int Connection::ready_to_write(int fd, int flags, const CallDeadline& deadline) {
  if (writing_.ended) {
    if (!writing_.drained) return static_cast<int>(broken_pipe(flags));
    errno = ECONNRESET;
    return -1;
  }
  if (outbox().urgent() && !flush(fd, flags, deadline.of(fd))) {
    if (errno == EPIPE) return static_cast<int>(broken_pipe(flags));
    return -1;
  }
  const bool owes = writing_.owes_update.load(std::memory_order_relaxed) ||
                    writing_.owes_refusal.load(std::memory_order_relaxed);
  if ((owes && outbox().length == 0) || writing_.rekey_is_due()) pay_debts();
  return 0;
}

bool Connection::exhausted(int fd) {
  break_off(fd, "exhausted", "no sequence number is left that is certainly unused");
  errno = error();
  return false;
}

ssize_t Connection::write_locked(int fd, LockResult lock, IovCursor& from, size_t length,
                                 int flags) {
  if (is_torn(fd, lock)) {
    errno = error();
    return -1;
  }
  if (length == 0) return writing_.ended ? broken_pipe(flags) : 0;
  const CallDeadline deadline(SO_SNDTIMEO, flags);
  bool has_waited = outbox().urgent();
  if (ready_to_write(fd, flags, deadline) != 0) return -1;
  size_t total = 0;
  size_t pace = batch_plaintext;
  while (length != 0) {
    if (has_waited) fd = still(fd);
    Batch batch(std::min(length, pace), high_water());
    if (batch.data() == nullptr) {
      errno = ENOMEM;
      break;
    }
    take_deferred(batch);
    const size_t chunk = std::min(length, plaintext_room(batch, pace));
    engine::WriteState state;
    bool can = take_write_state(state);
    if (!can) return total != 0 ? static_cast<ssize_t>(total) : -1;
    for (size_t left = chunk; can && left != 0;) {
      const size_t record = std::min(left, engine::max_plaintext);
      can = seal_next(batch, state, from, record);
      left -= record;
    }
    put_write_state(state);
    if (!can && !exhausted(fd)) return total != 0 ? static_cast<ssize_t>(total) : -1;
    const int64_t until = has_waited ? deadline.of(fd) : 0;
    const size_t sent = send_batch(fd, batch, chunk, flags & (MSG_DONTWAIT | MSG_MORE), until);
    has_waited = true;
    total += sent;
    length -= sent;
    pace = std::min(2 * pace, bulk_plaintext);
    if (sent != chunk || outbox().urgent()) break;
  }
  if (total != 0) return static_cast<ssize_t>(total);
  return errno == EPIPE ? broken_pipe(flags) : -1;
}

// Moves deferred bytes to the front of a batch, so that they go with its data.
void Connection::take_deferred(Batch& batch) {
  if (writing_.outbox.length == 0) [[likely]]
    return;
  // More than this is never deferred: who wrote otherwise has broken the stream.
  constexpr uint32_t most_deferred = engine::max_plaintext;
  const Outbox waiting = outbox();
  batch.add_control(outbox_bytes() + waiting.at, std::min(waiting.length, most_deferred));
  release_outbox();
}

ssize_t Connection::transmit_file(int fd, int in, off_t* offset, size_t count) {
  if (is_undecided()) wants_to_speak();
  if (state() != State::open && secure(fd, 0, SO_SNDTIMEO) != 0)
    return holder().is_clear ? real::sendfile(fd, in, offset, count) : -1;
  if (count == 0) return 0;
  // What was read and found no room is read again: only from where that can be. As the kernel.
  if (offset == nullptr && lseek(in, 0, SEEK_CUR) < 0) {
    const bool unreadable = (real::fcntl(in, F_GETFL, nullptr) & O_ACCMODE) == O_WRONLY;
    if (errno == ESPIPE) errno = unreadable ? EBADF : EINVAL;
    return -1;
  }
  LockGuard guard(writing_.lock, is_blocking(fd));
  if (!guard.held() && guard.result() != LockResult::lost) {
    errno = EAGAIN;
    return -1;
  }
  if (is_torn(fd, guard.result())) {
    errno = error();
    return -1;
  }
  const CallDeadline deadline(SO_SNDTIMEO, 0);
  if (ready_to_write(fd, 0, deadline) != 0) return -1;
  return transmit_file_locked(fd, in, offset, count, deadline);
}

// sendfile(2): what is read from the file lies where it is then sealed in place.
ssize_t Connection::transmit_file_locked(int fd, int in, off_t* offset, size_t count,
                                         const CallDeadline& deadline) {
  bool has_waited = false;
  size_t total = 0;
  size_t pace = batch_plaintext;
  off_t at_offset = offset != nullptr ? *offset : 0;
  while (count != 0) {
    if (has_waited) fd = still(fd);
    Batch batch(std::min(count, pace), high_water());
    if (batch.data() == nullptr) {
      errno = ENOMEM;
      break;
    }
    take_deferred(batch);
    engine::WriteState state;
    if (!take_write_state(state)) return total != 0 ? static_cast<ssize_t>(total) : -1;
    const size_t head = engine::plaintext_offset(state);
    const size_t room = std::min(count, plaintext_room(batch, pace));
    iovec pieces[Batch::max_records];
    int used = 0;
    size_t asked = 0;
    for (size_t where = batch.length; asked < room; ++used) {
      const size_t record = std::min(room - asked, engine::max_plaintext);
      pieces[used] = {batch.data() + where + head, record};
      where += engine::sealed_length(state, record);
      asked += record;
    }
    const ssize_t got =
        offset != nullptr ? preadv(in, pieces, used, at_offset) : real::readv(in, pieces, used);
    if (got <= 0) {
      append(batch.data(), batch.length, true);
      if (total != 0) break;
      return got;
    }
    auto left = static_cast<size_t>(got);
    bool can = true;
    for (int i = 0; can && left != 0; ++i) {
      iovec piece = pieces[i];
      piece.iov_len = std::min(piece.iov_len, left);
      IovCursor from(&piece, 1);
      left -= piece.iov_len;
      can = seal_next(batch, state, from, piece.iov_len);
    }
    put_write_state(state);
    if (!can && !exhausted(fd)) return total != 0 ? static_cast<ssize_t>(total) : -1;
    const auto chunk = static_cast<size_t>(got);
    const int64_t until = has_waited ? deadline.of(fd) : 0;
    const size_t sent = send_batch(fd, batch, chunk, 0, until);
    has_waited = true;
    total += sent;
    at_offset += static_cast<off_t>(sent);
    count -= sent;
    pace = std::min(2 * pace, bulk_plaintext);
    // What was read but has not left is read again.
    if (sent != chunk && offset == nullptr) {
      const int saved_errno = errno;
      lseek(in, static_cast<off_t>(sent) - got, SEEK_CUR);
      errno = saved_errno;
    }
    if (sent != chunk || chunk < asked || outbox().urgent()) break;
  }
  if (offset != nullptr) *offset = at_offset;
  if (total != 0 || count == 0) return static_cast<ssize_t>(total);
  return errno == EPIPE ? broken_pipe(0) : -1;
}

}  // namespace gaiter::shim
