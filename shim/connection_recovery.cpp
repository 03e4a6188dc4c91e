// What is left after a system call that never came back: its thread was cancelled,
// left it by a longjmp, or was killed with its process.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "shim/connection.h"
#include "shim/epoll_set.h"
#include "shim/real.h"
#include "shim/refusal.h"

namespace gaiter::shim {

namespace {

bool ends(LockResult result) {
  return result == LockResult::acquired_from_dead || result == LockResult::lost;
}

// As the kernel's TCP_ESTABLISHED and so on: no FIN has come in these states.
bool may_still_receive(uint8_t state) { return state == 1 || state == 4 || state == 5; }

}  // namespace

// What the recv took lies behind the ciphertext, and TCP knows how much that is.
void Connection::recover_input(int fd) {
  reading_.receiving = false;
  tcp_info info{};
  socklen_t length = sizeof info;
  int waiting = 0;
  if (real::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
      length >= offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received &&
      real::ioctl(fd, FIONREAD, &waiting) == 0) {
    // A FIN counts as a byte.
    const uint64_t came = info.tcpi_bytes_received - !may_still_receive(info.tcpi_state);
    const uint64_t lost = came - static_cast<unsigned>(waiting) - taken();
    if (lost == 0) return;
    // Only who was cut off himself has what it took.
    const bool is_here = has_desk();
    if (is_here && lost <= inbox().capacity - inbox().cipher_at - inbox().cipher_length) {
      inbox().cipher_length += static_cast<uint32_t>(lost);
      reading_.taken.store(taken() + lost, std::memory_order_relaxed);
      return;
    }
  }
  break_off(fd, "internal", "a read was cut off, and what it took is lost");
}

// What the send did not get to leaves first, as it is: nothing that may have left is ever
// sealed anew. To the program all of it was sent, as it may be on plain TCP.
bool Connection::recover_output(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (real::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
      length < offsetof(tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans) {
    return false;
  }
  const auto given = static_cast<uint32_t>(info.tcpi_bytes_sent - info.tcpi_bytes_retrans +
                                           info.tcpi_notsent_bytes);
  const uint32_t left = given - flight_.given.load(std::memory_order_relaxed);
  Holder& mine = holder();
  const uint32_t at = flight_.at, size = flight_.length;
  if (size != 0) {
    if (size > arena::bulk_size || at > size) return false;
    if (mine.flight != nullptr) {
      set_outbox(mine.flight + at, size - at, false);
      arena::release(mine.flight_block, std::exchange(mine.flight, nullptr));
    } else if (flight_.in_outbox) {
      writing_.outbox = Outbox{at, size - at, false};
    } else {
      return false;  // its thread was killed, and what it was sending is gone
    }
    flight_.length = 0;
  }
  Outbox waiting = outbox();
  engine::HighWater* const mark = high_water();
  const engine::DirectionState& keys = writing_.state.keys;
  const uint64_t key = keys.key.id, sequence = keys.sequence;
  if (left > waiting.length || (mark->key == key && mark->next > sequence)) return false;
  *mark = {key, sequence};
  waiting.at += left;
  waiting.length -= left;
  waiting.deferred = false;
  writing_.outbox = waiting;
  flight_.given.store(given, std::memory_order_relaxed);
  writing_.sending = false;
  if (waiting.length == 0) release_outbox();
  writing_.urgent.store(waiting.urgent(), std::memory_order_release);
  if (waiting.urgent()) epoll_outbox_waits(*this);
  return true;
}

// Whether a write was cut off that cannot be finished: half a record may have left, and no
// other can follow it.
bool Connection::is_torn(int fd, LockResult result) {
  if (state() == State::failed) return true;
  if (!ends(result) && (!writing_.sending || recover_output(fd))) return false;
  break_off(fd, "internal",
            result == LockResult::lost ? "another process writes, of which nothing can be told"
                                       : "a write was cut off in the middle of a record");
  return true;
}

// For those who need the lock of a direction for something by the way. The connection of one
// that died at work, or of whom nothing can be told, has come to its end.
bool Connection::may_touch(const LockGuard& guard) {
  if (ends(guard.result())) fail(ECONNRESET);
  return guard.held() && guard.result() != LockResult::acquired_from_dead;
}

// After a sleep under the lock of a direction: whether this thread still has it. If not, others
// took it for dead, and may have gone on with what it was about: then nothing of theirs is
// touched. False with errno: the connection ends.
bool Connection::keeps(const Lock& lock) {
  if (lock.is_mine()) [[likely]]
    return true;
  fail(ECONNRESET);
  errno = ECONNRESET;
  return false;
}

}  // namespace gaiter::shim
