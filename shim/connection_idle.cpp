// Records that bring the program nothing: how many a peer may send, and how much of a call they
// may take. Opening one costs about as much as a system call, and a KeyUpdate five times that,
// so a peer that has sent many would keep a program busy in a call that is not to wait.
//
// A call opens max_idle_records of them at most. It then says what it has, or EAGAIN; what was
// not opened stays, and is looked at again when the program asks next (Reading::Hint::unsure),
// of which edges tell again (epoll_rest_unopened).
#include <algorithm>
#include <cerrno>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/desk.h"
#include "shim/process.h"

namespace gaiter::shim {

namespace {

// What a peer may send for ever without data: a record a second. What it did not send is saved up,
// as nobody may have read for long.
constexpr int64_t a_second = 1'000'000'000;
constexpr int64_t price = engine::max_idle_records * a_second;
constexpr int64_t most_savings = 32 * price;

}  // namespace

// After max_idle_records in a row. False: it is a flood.
bool Connection::grant_idle_records() {
  const int64_t now = process::now();
  began_ = std::max(began_, now - most_savings);
  if (now - began_ < price) return false;
  began_ += price;
  holder().desk->state.idle_records = 0;
  return true;
}

// This call has opened enough of them, and there are more.
bool Connection::has_paused() const {
  return has_desk() && holder().desk->state.idle_in_call >= engine::max_idle_records &&
         engine::has_whole_record(inbox());
}

// Whether a call that has paused and has nothing to give goes on, as one that may wait: else
// EAGAIN.
bool Connection::go_on_after_pause(int fd, int flags) {
  if ((flags & MSG_DONTWAIT) == 0 && is_blocking(fd)) {
    holder().desk->state.idle_in_call = 0;
    return true;
  }
  errno = EAGAIN;
  return false;
}

}  // namespace gaiter::shim
