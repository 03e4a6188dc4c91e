// A connection on its way to being secure.
#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <optional>
#include <span>
#include <vector>

#include "shim/call_wait.h"
#include "shim/clock.h"
#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/desk.h"
#include "shim/epoll_set.h"
#include "shim/private_part.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/refusal.h"

namespace gaiter::shim {

namespace {

using engine::Cause;
using engine::Failure;

// Sessions are only offered to the peer that gave them.
std::string session_key(const sockaddr* remote) {
  const size_t length = remote->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  return std::string(reinterpret_cast<const char*>(remote), length);
}

}  // namespace

int64_t Connection::handshake_timeout() const {
  return std::chrono::nanoseconds(rule().settings().handshake_timeout).count();
}

Progress Connection::step(int fd, bool polls) {
  if (state() == State::open) return Progress::done;
  LockGuard reading(reading_.lock, false);
  LockGuard writing(writing_.lock, false);
  if (reading.result() == LockResult::lost || writing.result() == LockResult::lost) {
    fail(ECONNRESET);
    return Progress::failed;
  }
  if (!reading.held() || !writing.held()) return Progress::wait_other;
  const State before = state();
  if (before == State::open) return Progress::done;
  if (reading.result() == LockResult::acquired_from_dead ||
      writing.result() == LockResult::acquired_from_dead || writing_.sending) {
    fail(ECONNRESET);
  }
  const bool had_output = output_waits();
  const Progress progress = step_locked(fd, polls);
  if (progress == Progress::wait_readable) settle_inbox();
  close_desk();
  if (state() == State::fresh && before != State::fresh) {
    leave_to_exec();
    give_back_low_water(fd);
    epoll_give_back(*this);
  } else if (state() != before) {
    epoll_state_changed(*this);
  } else if (output_waits() != had_output) {
    epoll_outbox_waits(*this);
  }
  return progress;
}

// TCP's own answer to a non-blocking connect.
Progress Connection::check_tcp(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (real::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) {
    abandon_connect(error);
    return Progress::failed;
  }
  sockaddr_storage remote;
  length = sizeof remote;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&remote), &length) != 0)
    return Progress::wait_writable;
  tcp_connected();
  return Progress::done;
}

bool Connection::begin_handshake(int fd) {
  auto context = rule().context();
  if (!context) {
    refuse(fd, context.error());
    return false;
  }
  PrivatePart* const mine = make_private_part();
  if (mine == nullptr) {
    refuse(fd, {Cause::local, "out of memory", ""});
    return false;
  }
  std::string key = rule().is_tls_server() ? "" : session_key(remote());
  mine->handshake = engine::Handshake::start(*context, mine->peer, std::move(key));
  if (holder().is_observed) mine->handshake->forgive_peer();
  began_ = process::now();
  advance(State::handshaking);
  return true;
}

Progress Connection::step_locked(int fd, bool polls) {
  if (state() == State::connecting) {
    const Progress tcp = check_tcp(fd);
    if (tcp != Progress::done) return tcp;
  }
  if (state() == State::open) return Progress::done;
  if (state() == State::failed || state() == State::fresh) return Progress::failed;

  if (is_undecided()) {
    const Progress seen = look_for_tls(fd);
    if (seen != Progress::done) return seen;
  }
  start_clock();
  if (process::now() >= deadline()) {
    // A peer that keeps us waiting gets a reset, not a polite end.
    const linger abort{.l_onoff = 1, .l_linger = 0};
    real::setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    return refuse(fd, {Cause::deadline, "the handshake took longer than handshake_timeout",
                       "is the peer alive, and does it speak TLS on this port?"});
  }
  PrivatePart* mine = private_part();
  if (holder().is_foreign ||
      steps_.load(std::memory_order_relaxed) != (mine != nullptr ? mine->steps : 0))
    return Progress::wait_other;  // another process of the fork family performs it
  if (!open_desk()) return refuse(fd, {Cause::local, "out of memory", ""});

  bool hungry =
      rule().is_tls_server() || (mine != nullptr && mine->handshake != nullptr);  // or it begins
  std::vector<uint8_t> output;
  for (;;) {
    if (!flush(fd, MSG_DONTWAIT)) {
      if (errno == EAGAIN) return Progress::wait_writable;
      return refuse(fd, {Cause::peer_closed, "the connection was reset in mid-handshake", ""});
    }
    if (hungry) {
      // No peer answers a flight in the time until here, and the kernel will tell:
      // at any rate if it is asked, and by an edge if there was nothing before.
      if (!output.empty() && (polls || reading_.drained)) return Progress::wait_readable;
      const ssize_t got = fill(fd, engine::max_record_length, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return Progress::wait_readable;
      if (got <= 0) {
        const bool silent = rule().is_tls_server() && taken() == 0;
        return refuse(
            fd,
            {Cause::peer_closed,
             silent ? "closed without a byte" : "the peer closed the connection in mid-handshake",
             silent ? "looks like a check whether the port is open" : "its log may tell why"});
      }
    }
    // Not before a client said something: silent ones cost no memory.
    if (mine == nullptr || mine->handshake == nullptr) {
      if (!begin_handshake(fd)) return Progress::failed;
      mine = private_part();
    }
    engine::Inbox& inbox = this->inbox();
    std::span<const uint8_t> input(inbox.data + inbox.cipher_at, inbox.cipher_length);
    output.clear();
    mine->steps = steps_.fetch_add(1) + 1;
    const auto outcome = mine->handshake->advance(input, output);
    inbox.cipher_at += inbox.cipher_length - static_cast<uint32_t>(input.size());
    inbox.cipher_length = static_cast<uint32_t>(input.size());
    if (!append(output.data(), output.size(), false))
      return refuse(fd, {Cause::local, "out of memory", ""});
    if (outcome == engine::Handshake::State::failed) return refuse(fd, mine->handshake->failure());
    if (outcome == engine::Handshake::State::done) {
      flush(fd, MSG_DONTWAIT);
      install(fd, mine->handshake->take());
      return Progress::done;
    }
    hungry = true;
  }
}

void Connection::install(int fd, engine::Secured secured) {
  PrivatePart* const mine = private_part();
  holder().desk->state = secured.read;
  writing_.state = secured.write;
  writing_.behind_finished =
      !rule().is_tls_server() && secured.write.keys.version == engine::Version::tls13;
  start_rekey_clock();
  explicit_bzero(&secured.read, sizeof secured.read);
  explicit_bzero(&secured.write, sizeof secured.write);
  mine->handshake.reset();
  if (secured.tickets != nullptr) {
    mine->tickets = std::move(secured.tickets);
    reading_.expects_tickets = true;
  } else {
    drop_private_part();
  }
  append(secured.deferred.data(), secured.deferred.size(), true);
  reading_.fetched = false;  // the new state is told to all anyway
  settle_inbox();
  log_secured(*this, fd, secured.summary, process::now() - began_);
  if (secured.forgiven) log_observed(rule(), fd, remote(), &*secured.forgiven);
  advance(State::open);
}

Progress Connection::refuse(int fd, const Failure& failure) {
  log_refused(rule(), fd, remote(), failure);
  flush(fd, MSG_DONTWAIT);  // the alert
  fail(errno_of(failure.cause, rule().inbound()));
  // The alert must arrive before the reset that unread input would cause.
  real::shutdown(fd, SHUT_WR);
  return Progress::failed;
}

// The end of everything: both directions, for good. Under either lock.
void Connection::fail(int error) {
  holder().error.store(error, std::memory_order_relaxed);
  error_.store(error, std::memory_order_relaxed);
  advance(State::failed);
  reading_.hint.store(Reading::Hint::something, std::memory_order_release);
}

int Connection::secure(int fd, int flags, int timeout_option) {
  int64_t patience = -1;      // unknown yet
  std::optional<bool> waits;  // unknown yet
  const auto ask_if_waits = [&] { waits = (flags & MSG_DONTWAIT) == 0 && is_blocking(fd); };
  // A client always has to wait for an answer, a server may find one.
  const State before = state();
  if ((before == State::connecting || before == State::handshaking) && !rule().is_tls_server())
    ask_if_waits();
  for (;;) {
    const Progress progress = step(fd, waits.value_or(false));
    if (progress == Progress::done) return 0;
    if (progress == Progress::failed) {
      errno = state() == State::fresh ? take_connect_error() : error();
      return -1;
    }
    if (!waits) ask_if_waits();
    if (!*waits) {
      errno = EAGAIN;
      return -1;
    }
    if (patience < 0) patience = wait_limit(fd, timeout_option);
    const int64_t now = process::now();
    // In a signal handler that interrupted a step there is nothing to wait for.
    if (now >= patience || reading_.lock.is_mine() || writing_.lock.is_mine()) {
      errno = EAGAIN;
      return -1;
    }
    int64_t wait = std::min(patience, deadline() == 0 ? forever : deadline()) - now;
    wait = std::max<int64_t>(wait, 0);
    pollfd wanted{fd, POLLIN, 0};
    if (progress == Progress::wait_writable) wanted.events = POLLOUT;
    if (progress == Progress::wait_other) {
      // Another thread or process is at it; it tells nobody when it is done.
      wanted.events = 0;
      wait = std::min<int64_t>(wait, 2'000'000);
    }
    const timespec time = to_timespec(wait);
    const bool interrupted = real::ppoll(&wanted, 1, &time, nullptr) < 0 && errno == EINTR;
    if (interrupted && !goes_on_after_signal(patience)) return -1;
  }
}

}  // namespace gaiter::shim
