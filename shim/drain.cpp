#include "shim/drain.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <atomic>

#include "shim/active_rule.h"
#include "shim/connection.h"
#include "shim/fd_table.h"
#include "shim/live.h"
#include "shim/log_sums.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/refusal.h"

namespace gaiter::shim {

namespace {

constinit std::atomic<bool> some_drain = false;
constinit std::atomic<bool> some_may = false;

constexpr uint32_t quiet_time = 1000;  // milliseconds
constexpr int64_t sleep_at_most = 1'000'000'000;

// By TCP's own book, so that the way of the data keeps none.
bool is_quiet(int fd, bool asks, bool was_asked) {
  tcp_info info{};
  socklen_t length = sizeof info;
  int waiting = 0;
  if (real::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
      real::ioctl(fd, FIONREAD, &waiting) != 0) {
    return false;
  }
  const uint32_t sent = info.tcpi_last_data_sent;
  const uint32_t received = info.tcpi_last_data_recv;
  const bool is_answered = !was_asked || (asks ? received <= sent : sent <= received);
  return waiting == 0 && info.tcpi_unacked == 0 && is_answered && sent >= quiet_time &&
         received >= quiet_time;
}

}  // namespace

// Whether whoever opened the connection has sent anything but the handshake. Not
// exact while a call is at it, but then the connection is not quiet either.
bool Connection::was_asked() const {
  if (reading_.past_tickets || rule().inbound()) return reading_.past_tickets;
  // TLS 1.2 counts the Finished message (RFC 5246 6.1).
  const engine::DirectionState& keys = writing_.state.keys;
  return keys.sequence > (keys.version == engine::Version::tls12 ? 1 : 0);
}

bool Connection::end_if_quiet(int fd) {
  if (state() != State::open) return state() == State::failed;
  if (!is_quiet(fd, !rule().inbound(), was_asked())) return false;
  {
    const LockGuard reading(reading_.lock, false);
    // A reader that sleeps in the kernel has nothing either.
    if (!may_touch(reading) && reading.result() != LockResult::busy) return false;
    if (reading.held() && (!open_desk() || !inbox().drained())) return false;
    if (reading.held()) close_desk();
    const LockGuard writing(writing_.lock, false);
    if (!may_touch(writing) || writing_.sending || outbox().urgent()) return false;
    writing_.drained = true;
    reading_.shut = true;
  }
  say_goodbye(fd, process::now());
  // Whoever waits for input is woken, and finds the end of the stream.
  real::shutdown(fd, SHUT_RD);
  log_drained(*this, fd);
  return true;
}

void begin_to_drain() { some_drain.store(true); }

void drain_quiet_connections() {
  if (!some_drain.load(std::memory_order_relaxed)) return;
  bool more = false;
  fd_table::for_each(
      [](int fd, Slot& slot, void* context) {
        if (slot.kind() != Kind::connection) return;
        auto& connection = static_cast<Connection&>(slot);
        if (connection.is_protected() && connection.state() != State::failed &&
            connection.rule().is_draining() && !connection.end_if_quiet(fd)) {
          *static_cast<bool*>(context) = true;
        }
      },
      &more);
  some_drain.store(more);
}

void expect_to_drain() { some_may.store(true, std::memory_order_relaxed); }

int64_t drain_before_sleep(int64_t until) {
  if (const int64_t due = log::write_due_sums(); due < until) until = std::max<int64_t>(due, 1);
  if (!some_may.load(std::memory_order_relaxed) || until == 0) [[likely]]
    return until;
  live::follow();
  return std::min(until, process::now() + sleep_at_most);
}

}  // namespace gaiter::shim
