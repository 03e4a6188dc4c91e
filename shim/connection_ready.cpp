// What a program that asks for readiness is told: the truth about plaintext.
#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>

#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/epoll_set.h"
#include "shim/process.h"

namespace gaiter::shim {

namespace {

constexpr uint32_t in_bits = POLLIN | POLLRDNORM;
constexpr uint32_t out_bits = POLLOUT | POLLWRNORM | POLLWRBAND;
constexpr uint32_t always_bits = POLLERR | POLLHUP | POLLNVAL;

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
      if (is_clear_) {
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

  uint32_t visible = kernel & (always_bits | (wanted & (POLLPRI | POLLRDHUP)));
  if ((wanted & (in_bits | POLLRDHUP)) != 0) {
    const Reading::Hint hint = read_hint();
    bool readable = hint == Reading::Hint::something;
    const bool arrived = (kernel & (in_bits | POLLRDHUP | always_bits)) != 0;
    if (readable) {
      // The next read must not stop short of it: this may have been its only edge.
      if (arrived) reading_.drained.store(false, std::memory_order_relaxed);
    } else if (arrived || hint == Reading::Hint::unsure) {
      readable = pull(fd, asking);
    }
    if (readable) visible |= wanted & in_bits;
    if (readable && (reading_.ended || reading_.shut)) visible |= wanted & POLLRDHUP;
    if (state() == State::failed) return (wanted & (in_bits | out_bits)) | POLLERR | POLLHUP;
  }
  if (output_waits()) {
    if ((kernel & out_bits) != 0) {
      LockGuard guard(writing_.lock, false);
      if (guard.held()) {
        flush(fd, MSG_DONTWAIT);
      } else {
        visible |= ask_again;
      }
    }
    if (output_waits()) kernel &= ~out_bits;
  }
  visible |= kernel & wanted & out_bits;
  if (writing_.shut) visible |= wanted & out_bits;
  if (reading_.shut && writing_.shut) visible |= POLLHUP;
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

}  // namespace gaiter::shim
