// Reading a stream that comes fast and one way, with fewer wake-ups.
//
// A reader that keeps up with its peer sleeps after every piece, and waking it costs the sender
// about as much as sealing the piece did. So, as network cards hold their interrupts back, a
// reader that was just woken lets more of such a stream arrive before it goes on. It has the
// first piece in hand by then: whatever ends a wait (data, the end, a signal, a timeout) has
// ended it as on plain TCP, and what comes meanwhile needs no waking.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

// In nanoseconds: what is asked for, and what that takes with the usual timer slack (prctl(2)).
constexpr int64_t pause = 25'000;
constexpr uint64_t usual_pause = 75'000;
// What must come during a pause to make it worthwhile, in bytes.
constexpr uint64_t worthwhile = 64 << 10;
// Of one that came without a word of ours between, in bytes: an answer shorter than this is
// waited for, and a pause at its end would be felt.
constexpr uint64_t long_stream = 4 << 20;
// Between two wake-ups of such a stream, in nanoseconds.
constexpr int64_t longest_gap = 10'000'000;

// Whether the kernel goes on taking data during a pause, so that the peer need not stop.
bool has_room(int fd) {
  int size = 0;
  socklen_t length = sizeof size;
  return real::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) == 0 &&
         static_cast<uint64_t>(size) >= 4 * worthwhile;
}

}  // namespace

// After a recv that had to wait, or may have. Under the lock of Reading; errno stays.
void Connection::let_stream_gather(int fd) {
  const Pace last = pace_;
  pace_.taken = taken();
  pace_.given = flight_.given.load(std::memory_order_relaxed);
  if (pace_.given != last.given) pace_.began = pace_.taken;
  pace_.at = pace_.taken - pace_.began >= long_stream ? process::now() : 0;
  if (pace_.at == 0 || last.at == 0) return;
  const int64_t elapsed = pace_.at - last.at;
  if (elapsed > longest_gap) return;
  const uint64_t came = pace_.taken - last.taken;
  if (came * usual_pause < worthwhile * static_cast<uint64_t>(elapsed)) return;
  const int saved_errno = errno;
  if (is_blocking(fd) && has_room(fd)) {
    const timespec time{0, pause};
    const Parked parked(reading_.lock);
    real::ppoll(nullptr, 0, &time, nullptr);
  }
  errno = saved_errno;
}

}  // namespace gaiter::shim
