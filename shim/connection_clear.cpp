// A connection that came in and that the rule lets be clear if its peer does not
// speak TLS: tls = "optional", mode = "monitor".
//
// The client's first bytes tell, looked at and left in the socket. What begins as
// TLS does goes on as TLS or not at all. Until they are there the program is told
// that there is nothing to read and no room to write; if it wants to write first,
// a client that speaks TLS has the time until the deadline to begin.
#include <algorithm>
#include <cerrno>

#include "engine/first_bytes.h"
#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/epoll_set.h"
#include "shim/private_part.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/refusal.h"

namespace gaiter::shim {

namespace {

// mode = "monitor" must not get in the way of programs that speak first, but a
// client's first flight takes its time over the network.
constexpr int64_t observed_patience = 300'000'000;

// As many pieces of a scattered buffer as one call needs to make progress.
struct Pieces {
  iovec pieces[64];
  msghdr message{};

  explicit Pieces(engine::IovCursor& at) {
    size_t count = 0;
    for (; !at.empty() && count < std::size(pieces); ++count) {
      pieces[count] = {at.data(), at.contiguous()};
      at.advance(at.contiguous());
    }
    message.msg_iov = pieces;
    message.msg_iovlen = count;
  }
};

}  // namespace

bool Connection::is_undecided() const {
  return holder().clear.load(std::memory_order_relaxed) != ClearText::never &&
         state() == State::pending;
}

void Connection::wants_to_speak() {
  if (!is_undecided() || deadline() != 0) return;
  int64_t patience = handshake_timeout();
  if (holder().clear == ClearText::observed) patience = std::min(patience, observed_patience);
  int64_t none = 0;
  if (holder().deadline.compare_exchange_strong(none, process::now() + patience))
    epoll_state_changed(*this);
}

// `done`: it is TLS, and no way leads back.
Progress Connection::look_for_tls(int fd) {
  uint8_t start[16];
  ssize_t got;
  do {
    got = real::recv(fd, start, sizeof start, MSG_PEEK | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) {
    if (deadline() == 0 || process::now() < deadline()) return Progress::wait_readable;
    return go_clear(fd, "the client did not begin TLS before the program wanted to write");
  }
  if (got < 0) {
    fail(errno);
    return Progress::failed;
  }
  if (got == 0) return go_clear(fd, "the client closed without a word");
  const char* const what = engine::what_else_than_tls({start, static_cast<size_t>(got)});
  if (what != nullptr) return go_clear(fd, std::string("the client sent ") + what);
  if (holder().clear == ClearText::observed) {
    if (const auto context = rule().context(); !context) {
      log_observed(rule(), fd, remote(), &context.error());
      holder().clear = ClearText::allowed;
      return go_clear(fd, "the client began TLS, which the program itself may speak");
    }
    holder().is_observed = true;
  }
  holder().clear = ClearText::never;
  holder().deadline.store(0, std::memory_order_relaxed);
  return Progress::done;
}

// The program's own calls go on with the socket as if nobody had been here.
Progress Connection::go_clear(int fd, const std::string& why) {
  if (holder().clear == ClearText::observed) {
    engine::Failure failure{engine::Cause::not_tls, why,
                            "before the rule is enforced this client must speak TLS"};
    if (const auto context = rule().context(); !context)
      failure.reason += "; and on this side: " + context.error().reason;
    log_observed(rule(), fd, remote(), &failure);
  } else {
    log_clear(rule(), fd, remote(), why);
  }
  drop_private_part();
  holder().clear = ClearText::never;
  holder().is_clear = true;
  return_to_fresh();
  return Progress::failed;
}

ssize_t Connection::receive_clear(int fd, engine::IovCursor& sink, int flags) const {
  Pieces pieces(sink);
  return real::recvmsg(fd, &pieces.message, flags);
}

ssize_t Connection::transmit_clear(int fd, engine::IovCursor& from, int flags) const {
  Pieces pieces(from);
  return real::sendmsg(fd, &pieces.message, flags);
}

}  // namespace gaiter::shim
