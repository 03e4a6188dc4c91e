// Between shared memory, where others may write at any time, and what this process works on.
#include <cerrno>
#include <cstring>

#include "shim/connection.h"
#include "shim/desk.h"
#include "shim/log.h"

namespace gaiter::shim {

namespace {

bool makes_sense(const engine::DirectionState& keys) {
  return (keys.version == engine::Version::tls12 || keys.version == engine::Version::tls13) &&
         keys.hash <= engine::Hash::sha384 &&
         keys.key.cipher <= engine::Cipher::chacha20_poly1305 &&
         keys.key.back_end <= engine::BackEnd::ipsec_mb;
}

bool makes_sense(const engine::ReadState& state) {
  return makes_sense(state.keys) && state.role <= engine::Role::server &&
         state.message.header_length <= sizeof state.message.header;
}

// How many connections keep the pages of buffers that they do not need at the moment: the
// others give them back each time.
constexpr uint32_t most_warm = 64;
constinit std::atomic<uint32_t> warm = 0;

}  // namespace

void Connection::keep_or_give_back(uint8_t* buffer, size_t used, bool& is_warm) {
  if (is_warm) return;
  if (warm.load(std::memory_order_relaxed) < most_warm) {
    warm.fetch_add(1, std::memory_order_relaxed);
    is_warm = true;
  } else {
    arena::give_back(buffer, used);
  }
}

void Connection::give_back_buffers() {
  Holder& mine = holder();
  for (bool* const is_warm : {&mine.inbox_is_warm, &mine.outbox_is_warm}) {
    if (*is_warm) warm.fetch_sub(1, std::memory_order_relaxed);
    *is_warm = false;
  }
}

// What lies in shared memory cannot be: nothing can be sent or received any more.
void Connection::distrust(const char* what) {
  if (state() != State::failed)
    log::line(log::Level::warning,
              "refused cause=internal errno=ECONNRESET reason=\"{}\" advice=\"is another process "
              "that has this connection broken, or was it killed?\"",
              what);
  fail(ECONNRESET);
}

engine::Inbox& Connection::inbox() const { return holder().desk->inbox; }

bool Connection::has_desk() const { return holder().desk != nullptr; }

// Under the lock of Reading. False: errno.
bool Connection::open_desk() {
  Holder& mine = holder();
  if (mine.desk != nullptr) return true;
  auto* const block = static_cast<uint8_t*>(arena::allocate(arena::Block::batch));
  if (block == nullptr) {
    errno = ENOMEM;
    return false;
  }
  auto* const desk = reinterpret_cast<ReadDesk*>(block);
  std::memcpy(&desk->state, &reading_.state, sizeof desk->state);
  const bool past_tickets = reading_.past_tickets;  // the byte itself may be anything
  std::memcpy(&desk->state.past_tickets, &past_tickets, sizeof past_tickets);
  const Reading::Left left = reading_.left;
  desk->inbox = {block + arena::batch_head, arena::batch_size, 0, 0, 0, 0};
  const bool is_there = !reading_.is_on_desk.exchange(true);
  const bool fits =
      left.plain <= arena::batch_size && left.cipher <= arena::batch_size - left.plain;
  if (!is_there || !fits || (state() == State::open && !makes_sense(desk->state))) {
    explicit_bzero(&desk->state, sizeof desk->state);
    arena::release(arena::Block::batch, block);
    distrust(is_there ? "the state of the stream makes no sense" : "a read was cut off");
    errno = error();
    return false;
  }
  if (left.plain + left.cipher != 0)
    std::memcpy(desk->inbox.data, arena::inbox_of(this), left.plain + left.cipher);
  desk->inbox.plain_length = left.plain;
  desk->inbox.cipher_at = left.plain;
  desk->inbox.cipher_length = left.cipher;
  mine.desk = desk;
  return true;
}

// What is on the desk, to where others find it.
void Connection::share_desk() {
  const ReadDesk& desk = *holder().desk;
  std::memcpy(&reading_.state, &desk.state, sizeof desk.state);
  reading_.past_tickets = desk.state.past_tickets;
  const engine::Inbox& from = desk.inbox;
  const Reading::Left before = reading_.left;
  if (!from.drained()) {
    uint8_t* const to = arena::inbox_of(this);
    holder().inbox_was_used = true;
    std::memcpy(to, from.data + from.plain_at, from.plain_length);
    std::memcpy(to + from.plain_length, from.data + from.cipher_at, from.cipher_length);
  } else if (before.plain + before.cipher != 0) {
    keep_or_give_back(arena::inbox_of(this), arena::batch_size, holder().inbox_is_warm);
  }
  reading_.left = {from.plain_length, from.cipher_length};
  reading_.is_on_desk = false;
}

void Connection::clear_desk() {
  ReadDesk* const desk = std::exchange(holder().desk, nullptr);
  if (desk == nullptr) return;
  explicit_bzero(&desk->state, sizeof desk->state);
  arena::release(arena::Block::batch, desk);
}

// Before the lock is given back.
void Connection::close_desk() {
  const ReadDesk* const desk = holder().desk;
  if (desk == nullptr || reading_.receiving) return;
  if (state() == State::failed) {
    reading_.left = {};
    reading_.is_on_desk = false;
  } else if (desk->inbox.drained() || holder().is_shared) {
    share_desk();
  } else {
    return;
  }
  clear_desk();
}

// A fork will share the connection. Whoever is at it meanwhile sees to it himself.
void Connection::expect_company() {
  Holder& mine = holder();
  // Nothing is written that is there: each page would be copied, fork after fork.
  if (state() == State::fresh && !mine.others_may_connect) mine.others_may_connect = true;
  if (!mine.is_shared) mine.is_shared = true;
  if (mine.keeps_desk) mine.keeps_desk = false;
  if (mine.desk == nullptr) return;
  const LockResult result = reading_.lock.try_acquire();
  if (held(result)) close_desk();
  mine.keeps_desk = result == LockResult::reentered;
  reading_.lock.release(result);
}

// In the child: no other thread is here that could be at it. Who forks in a signal handler goes
// on with what that interrupted.
void Connection::forget_desks() {
  Holder& mine = holder();
  // Their blocks stay with the parent's threads.
  if (!mine.keeps_desk && mine.desk != nullptr) mine.desk = nullptr;
  if (mine.flight != nullptr) mine.flight = nullptr;
}

void Connection::before_sleep() {
  if (has_desk() && holder().is_shared) share_desk();
}

void Connection::after_sleep() {
  if (has_desk()) reading_.is_on_desk = true;
}

bool Connection::take_write_state(engine::WriteState& state) {
  std::memcpy(&state, &writing_.state, sizeof state);
  if (makes_sense(state.keys)) return true;
  explicit_bzero(&state, sizeof state);
  distrust("the state of the stream makes no sense");
  errno = error();
  return false;
}

void Connection::put_write_state(engine::WriteState& state) {
  std::memcpy(&writing_.state, &state, sizeof state);
  explicit_bzero(&state, sizeof state);
}

}  // namespace gaiter::shim
