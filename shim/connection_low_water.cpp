// SO_RCVLOWAT (socket(7)): how much must be there before a blocking call returns, and
// before readiness tells of it.
#include <sys/socket.h>

#include <algorithm>

#include "shim/connection.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

// So much can be read ahead, with room for the rest of a record and one more. As in the
// kernel, a mark that is beyond what is kept does not hold readiness up.
constexpr uint32_t most_visible =
    static_cast<uint32_t>(arena::batch_size - 2 * engine::max_record_length);

}  // namespace

constinit std::atomic<bool> low_waters_are_used = false;

// What a blocking call for so many bytes waits for.
size_t Connection::least_of(size_t length) const {
  return std::max<size_t>(std::min<size_t>(reading_.low_water, length), 1);
}

// What readiness waits for.
size_t Connection::least_visible() const { return least_of(most_visible); }

int Connection::set_low_water(int fd, const void* value, socklen_t length) {
  low_waters_are_used.store(true, std::memory_order_relaxed);
  if (real::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, value, length) != 0) return -1;
  take_low_water(fd);  // as the kernel understood it
  return 0;
}

void Connection::take_low_water(int fd) {
  if (!low_waters_are_used.load(std::memory_order_relaxed)) return;
  static constexpr int least = 1;
  int mark = least;
  socklen_t length = sizeof mark;
  if (real::getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &length) != 0) return;
  reading_.low_water = static_cast<uint32_t>(std::max(mark, least));
  if (mark != least) real::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
  const LockGuard guard(reading_.lock, false);
  if (may_touch(guard) && state() == State::open) settle_inbox();
}

void Connection::give_back_low_water(int fd) {
  const int mark = low_water();
  if (mark != 1) real::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
}

}  // namespace gaiter::shim
