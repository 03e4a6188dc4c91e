// What state a connection is in: as shared memory has it, as far as this process believes it.
//
// Another holder of the connection may move it on: from clear to protected, from a handshake to
// keys, to its end. Never back: who once knew it as protected would send in clear what
// is to be sealed, on the word of memory that a broken child can write.
#include <sys/socket.h>

#include <cerrno>

#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/log.h"
#include "shim/real.h"
#include "shim/refusal.h"

namespace gaiter::shim {

namespace {

// They are in the order in which a connection goes through them; `pending` and `connecting`
// begin two different ways.
bool leads_on(State from, State to) { return to >= from && to <= State::failed; }

void raise(std::atomic<State>& seen, State next) {
  State before = seen.load(std::memory_order_relaxed);
  while (before < next && !seen.compare_exchange_weak(before, next)) {
  }
}

}  // namespace

// This process's own word. The shared one is first: see judge().
void Connection::advance(State next) {
  state_.store(next, std::memory_order_release);
  raise(holder().seen, next);
}

void Connection::return_to_fresh() {
  Holder& mine = holder();
  mine.deadline.store(0, std::memory_order_relaxed);
  mine.returns_to_fresh.store(true);
  state_.store(State::fresh);
  mine.seen.store(State::fresh);
  mine.returns_to_fresh.store(false);
}

// Shared memory differs from what was seen: somebody else has moved it on, or lies. Another
// thread of this process may be between the two stores of advance() or return_to_fresh().
State Connection::judge(State shared) const {
  Holder& mine = holder();
  const State seen = mine.seen.load();
  if (seen == State::failed) return State::failed;
  if (shared == State::fresh && seen != State::fresh &&
      (mine.returns_to_fresh.load() || mine.seen.load() == State::fresh)) {
    return State::fresh;
  }
  if (leads_on(seen, shared)) {
    if (shared == State::failed) {
      raise(mine.seen, shared);
      return shared;
    }
    if (mine.rule.load() == nullptr) {
      mine.is_foreign.store(true);
      mine.rule.store(live::rule_numbered(rule_number_.load()));
    }
    if (mine.rule.load() != nullptr) {
      raise(mine.seen, shared);
      return shared;
    }
  }
  if (const State now = mine.seen.load(); now != seen && now == state_.load()) return now;
  int none = 0;
  mine.error.compare_exchange_strong(none, ECONNRESET);
  if (mine.seen.exchange(State::failed) != State::failed) {
    log::line(log::Level::warning,
              "refused cause=internal errno=ECONNRESET reason=\"another process that shares this "
              "connection says that it is {}, which cannot be\" advice=\"is a child process "
              "broken?\"",
              shared == State::fresh ? "clear" : "in a state");
  }
  return State::failed;
}

int Connection::error() const {
  const int mine = holder().error.load(std::memory_order_relaxed);
  return mine != 0 ? mine : as_errno(error_.load(std::memory_order_relaxed), ECONNRESET);
}

bool Connection::may_be_clear(int fd) {
  Holder& mine = holder();
  if (!mine.others_may_connect.load(std::memory_order_relaxed) || mine.passed || mine.is_clear)
      [[likely]]
    return true;
  const int saved_errno = errno;
  sockaddr_storage local{}, remote{};
  socklen_t length = sizeof remote;
  auto* const to = reinterpret_cast<sockaddr*>(&remote);
  const bool is_connected = real::getpeername(fd, to, &length) == 0;
  errno = saved_errno;
  if (!is_connected) return true;
  auto* const from = reinterpret_cast<sockaddr*>(&local);
  length = sizeof local;
  real::getsockname(fd, from, &length);
  const Decision decision = decide(policy::Direction::outbound, from, to);
  errno = saved_errno;
  if (decision.verdict == Verdict::pass) {
    mine.passed = true;
    return true;
  }
  if (state() != State::fresh) return false;  // and he said so meanwhile
  log_blocked(decision.rule, fd, to, "another process has connected this socket");
  mine.rule = decision.rule;
  fail(EACCES);
  return false;
}

bool Connection::travels() const { return holder().travels.load(std::memory_order_relaxed); }

void Connection::set_travels(bool does) { holder().travels.store(does, std::memory_order_relaxed); }

void Connection::turn_away(int fd, ActiveRule* rule, int error) {
  if (holder().cookie == 0) identify(fd);
  holder().rule = rule;
  fail(error);
}

}  // namespace gaiter::shim
