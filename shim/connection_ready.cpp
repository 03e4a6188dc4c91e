// What a program that asks for readiness is told: the truth about plaintext.
#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/epoll_set.h"
#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

constexpr uint32_t in_bits = POLLIN | POLLRDNORM;
constexpr uint32_t out_bits = POLLOUT | POLLWRNORM | POLLWRBAND;
constexpr uint32_t always_bits = POLLERR | POLLHUP | POLLNVAL;

// Whoever reads meanwhile is a signal handler, and waits for no poller.
thread_local bool this_thread_polls = false;

}  // namespace

uint32_t Connection::ready(int fd, uint32_t wanted, uint32_t kernel, const Registration* asking) {
  const int saved_errno = errno;
  State now = state();
  if (now == State::fresh) return kernel & (wanted | always_bits);
  if (now != State::open && now != State::failed) {
    if (kernel == 0) {
      // The kernel will tell when TCP is connected, and when the peer speaks.
      if (now == State::connecting) return 0;
      // Edges of both kinds are asked for without a wish to write.
      if ((wanted & out_bits) != 0 && (wanted & EPOLLET) == 0) wants_to_speak();
      start_clock();
      const bool must_begin = now == State::pending && !rule().is_tls_server();
      if (!must_begin && (deadline() == 0 || process::now() < deadline())) return 0;
    }
    const Progress progress = step(fd);
    errno = saved_errno;
    now = state();
    if (now == State::fresh) {  // TCP refused; the kernel was asked for less than all
      if ((kernel & POLLHUP) != 0) kernel |= in_bits | out_bits | POLLRDHUP;
      if (holder().is_clear) {
        // An epoll set's kernel was asked anew, and will tell by itself.
        if (asking != nullptr) return 0;
        kernel |= out_bits;  // nothing was written yet
      }
      return kernel & (wanted | always_bits);
    }
    if (progress == Progress::wait_other) return ask_again;
    if (progress != Progress::done && progress != Progress::failed) return 0;
    kernel = (kernel & ~out_bits) | (output_waits() ? 0 : out_bits);
  }
  if (now == State::failed) return (wanted & (in_bits | out_bits)) | POLLERR | POLLHUP;

  if (reading_.parted) kernel &= ~uint32_t{POLLERR};
  uint32_t visible = kernel & (always_bits | (wanted & (POLLPRI | POLLRDHUP)));
  if ((wanted & (in_bits | POLLRDHUP)) != 0) {
    const Reading::Hint hint = read_hint();
    bool readable = hint == Reading::Hint::something;
    const bool arrived = (kernel & (in_bits | POLLRDHUP | always_bits)) != 0;
    // The next read must not stop short of it: this may have been its only edge.
    if (arrived) reading_.drained.store(false, std::memory_order_relaxed);
    if (!readable && (arrived || hint == Reading::Hint::unsure)) readable = pull(fd, asking);
    if (readable) visible |= wanted & in_bits;
    // More waits that may hold something: see connection_idle.cpp.
    if (!readable && read_hint() == Reading::Hint::unsure) visible |= ask_again;
    if (readable && (reading_.ended || reading_.shut)) visible |= wanted & POLLRDHUP;
    if (state() == State::failed) return (wanted & (in_bits | out_bits)) | POLLERR | POLLHUP;
  }
  if (output_waits()) {
    if ((kernel & out_bits) != 0) {
      LockGuard guard(writing_.lock, false);
      if (may_touch(guard)) {
        flush(fd, MSG_DONTWAIT);
      } else {
        visible |= ask_again;
      }
    }
    if (output_waits()) kernel &= ~out_bits;
  }
  visible |= kernel & wanted & out_bits;
  if (writing_.shut) visible |= wanted & out_bits;
  // The peer's FIN may come much later than its close_notify: see end_stream().
  if ((reading_.shut || reading_.ended) && writing_.shut) visible |= POLLHUP;
  // Reading ahead took it from the kernel before the program could.
  if (reading_.error != 0) visible |= POLLERR;
  errno = saved_errno;
  return visible;
}

uint32_t Connection::kernel_interest(uint32_t wanted) const {
  const bool flushing = output_waits();
  switch (state()) {
    case State::connecting:
      if ((wanted & EPOLLET) != 0) return wanted | POLLIN | POLLOUT;
      return (wanted & ~(in_bits | POLLRDHUP)) | POLLOUT;
    case State::pending:
    case State::handshaking:
      // Edges cost nothing while they are swallowed, and save a change later.
      if ((wanted & EPOLLET) != 0) return wanted | POLLIN | POLLOUT;
      // What comes in can only be acted on once what must go out is gone.
      return (wanted & ~(in_bits | out_bits | POLLRDHUP)) | (flushing ? POLLOUT : POLLIN);
    case State::failed:
      return wanted & EPOLLET;
    case State::fresh:
    case State::open:
      break;
  }
  return flushing ? wanted | POLLOUT : wanted;
}

std::atomic<uint16_t>& Connection::pollers_for(uint32_t wanted) {
  return (wanted & in_bits) != 0 ? reading_.pollers : reading_.other_pollers;
}

// Whoever has the lock settles what there is to see before he gives it back; whoever
// takes it after this knows of us.
Connection::Sleep Connection::begin_polling(uint32_t wanted) {
  this_thread_polls = true;
  pollers_for(wanted).fetch_add(1);
  if ((wanted & in_bits) == 0) return Sleep::sound;
  LockGuard guard(reading_.lock, false);
  if (read_hint() == Reading::Hint::something) return Sleep::none;
  return guard.held() ? Sleep::sound : Sleep::shallow;
}

void Connection::end_polling(uint32_t wanted) {
  this_thread_polls = false;
  std::atomic<uint16_t>& count = pollers_for(wanted);
  uint16_t seen = count.load();
  while (seen != 0 && !count.compare_exchange_weak(seen, static_cast<uint16_t>(seen - 1))) {
  }
}

// Before input is taken off the kernel's queue. Pollers are woken by its coming, look at
// the queue, and go on sleeping if they find nothing: they go first. False: errno, as of
// recv(2).
bool Connection::let_pollers_see(int fd, int flags) {
  if (this_thread_polls) return true;
  if ((flags & MSG_DONTWAIT) == 0 && is_blocking(fd)) {
    const int64_t until = wait_limit(fd, SO_RCVTIMEO);
    while (!await_more(fd, until)) {
      if (!goes_on_after_signal(until)) return false;
    }
  } else {
    pollfd one{fd, POLLIN, 0};
    if (real::poll(&one, 1, 0) <= 0) return true;
  }
  if (!keeps(reading_.lock)) return false;
  const Asleep asleep(*this);
  for (timespec nap{0, 100'000}; reading_.pollers != 0; nap.tv_nsec *= 2) {
    if (nap.tv_nsec > 800'000'000) {
      reading_.pollers = 0;  // one was killed in his sleep, or left it by a longjmp
      break;
    }
    real::ppoll(nullptr, 0, &nap, nullptr);
  }
  return true;
}

}  // namespace gaiter::shim
