// What a connection owes its peer beside data: new keys, and answers to what the
// reading side was asked.
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/process.h"

namespace gaiter::shim {

bool Writing::rekey_is_due() const {
  return engine::key_update_due(state) || (rekey_at != 0 && process::now() >= rekey_at);
}

void Connection::start_rekey_clock() {
  const std::chrono::nanoseconds period = rule().settings().rekey.seconds;
  const bool can = writing_.state.keys.version == engine::Version::tls13;
  writing_.rekey_at = period.count() != 0 && can ? process::now() + period.count() : 0;
}

// What the reading side promised the peer.
void Connection::pay_debts() {
  uint8_t sealed[engine::max_seal_overhead + 5];  // the longest, a KeyUpdate
  // When our key has done its time so has the peer's, which is as old.
  const bool due = writing_.rekey_is_due();
  if (writing_.owes_update.exchange(false) || due) {
    engine::WriteState state;
    if (!take_write_state(state)) return;
    const size_t length = engine::seal_key_update(state, *high_water(), due, sealed);
    put_write_state(state);
    append(sealed, length, true);
    start_rekey_clock();
  }
  if (writing_.owes_refusal.exchange(false)) append_alert(engine::Alert::no_renegotiation, true);
}

void Connection::append_alert(engine::Alert alert, bool deferred) {
  uint8_t sealed[engine::max_seal_overhead + 2];
  engine::WriteState state;
  if (!take_write_state(state)) return;
  const size_t length = engine::seal_alert(state, *high_water(), alert, sealed);
  put_write_state(state);
  append(sealed, length, deferred);
}

// From the reading side: at once if nobody is writing and the socket has room, else the writer
// will. A peer that asks again and again and reads nothing is owed one answer, not many.
void Connection::settle_debts(int fd) {
  LockGuard guard(writing_.lock, false);
  if (!guard.held() || writing_.ended || is_torn(fd, guard.result())) return;
  const int saved_errno = errno;
  if (flush(fd, MSG_DONTWAIT)) {
    pay_debts();
    flush(fd, MSG_DONTWAIT);
  }
  errno = saved_errno;
}

}  // namespace gaiter::shim
