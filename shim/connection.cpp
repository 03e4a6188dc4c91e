#include "shim/connection.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "shim/active_rule.h"
#include "shim/epoll_set.h"
#include "shim/fd_table.h"
#include "shim/private_part.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/tcp.h"

namespace gaiter::shim {

Connection* Connection::make_watched() {
  void* const memory = arena::make_slot();
  return memory == nullptr ? nullptr : new (memory) Connection;
}

Connection* Connection::make_pending(ActiveRule& rule, ClearText clear) {
  Connection* const connection = make_watched();
  if (connection != nullptr) {
    connection->holder().rule = &rule;
    connection->rule_number_ = rule.number();
    connection->holder().clear = clear;
    connection->advance(State::pending);
  }
  return connection;
}

Connection* Connection::make_refused(int error) {
  Connection* const connection = make_watched();
  if (connection != nullptr) {
    connection->fail(error);
  }
  return connection;
}

Connection* Connection::move_to_new_memory() {
  void* const memory = arena::make_slot();
  if (memory == nullptr) return nullptr;
  std::memcpy(memory, reinterpret_cast<const uint8_t*>(this), sizeof *this);
  std::memcpy(arena::record_of(memory), arena::record_of(this), arena::record_size);
  explicit_bzero(reinterpret_cast<uint8_t*>(this), sizeof *this);
  holder().begin(Kind::connection);
  arena::end_slot(this);
  return static_cast<Connection*>(memory);
}

std::vector<const ActiveRule*> Connection::rules_in_use() {
  std::vector<const ActiveRule*> rules;
  arena::for_each_record(
      [](void* record, void* context) {
        if (const ActiveRule* const rule = static_cast<const Holder*>(record)->rule.load())
          static_cast<std::vector<const ActiveRule*>*>(context)->push_back(rule);
      },
      &rules);
  return rules;
}

Connection::PrivatePart* Connection::private_part() const {
  return static_cast<PrivatePart*>(holder().part.load(std::memory_order_acquire));
}

Connection::PrivatePart* Connection::make_private_part() {
  if (PrivatePart* const present = private_part()) return present;
  auto* const fresh = new PrivatePart;
  holder().part.store(fresh, std::memory_order_release);
  return fresh;
}

void Connection::drop_private_part() {
  delete static_cast<PrivatePart*>(holder().part.exchange(nullptr));
}

// Of an earlier connection in the same slot until the first record is sealed: keys tell.
engine::HighWater* Connection::high_water() const { return &holder().mark; }

void Connection::set_remote(const sockaddr* remote) {
  const size_t length = remote->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(&remote_, remote, length);
}

void Connection::identify(int fd) { holder().cookie = socket_cookie(fd); }

int Connection::still(int fd) const {
  const int number = fd_table::number_for(*this, fd);
  return number >= 0 ? number : fd;
}

bool Connection::is_socket(int fd) const {
  const uint64_t cookie = holder().cookie;
  return cookie == 0 || cookie == socket_cookie(fd);
}

bool Connection::begin_connect(ActiveRule& rule, engine::ExpectedPeer peer,
                               const sockaddr* remote) {
  {
    LockGuard guard(writing_.lock, false);
    if (!guard.held() || state() != State::fresh) return false;
    Holder& mine = holder();
    mine.rule = &rule;
    mine.passed = mine.is_clear = mine.is_foreign = false;
    rule_number_ = rule.number();
    set_remote(remote);
    if (PrivatePart* const part = make_private_part()) part->peer = std::move(peer);
    advance(State::connecting);
  }
  // Who took the socket for a clear one is in a call that a socket without a
  // connection ends at once. Not one byte of his may come after the connect.
  for (int i = 0; static_cast<uint32_t>(references().load()) > 1; ++i) {
    if (i == 10'000) {
      abandon_connect(0);
      return false;
    }
    sched_yield();
  }
  return true;
}

void Connection::abandon_connect(int error) {
  drop_private_part();
  connect_error_.store(error);
  return_to_fresh();
}

namespace {

template <class Visit>
void for_each_number(const Slot& slot, Visit visit) {
  for (int fd = 0; fd <= fd_table::highest(); ++fd) {
    if (fd_table::has(fd) && fd_table::leads_to(fd, slot)) visit(fd);
  }
}

}  // namespace

void Connection::hide_from_exec() {
  for_each_number(*this, [](int fd) {
    const int flags = real::fcntl(fd, F_GETFD, nullptr);
    fd_table::set_close_on_exec(fd, (flags & FD_CLOEXEC) != 0);
    if ((flags & FD_CLOEXEC) == 0) real::fcntl(fd, F_SETFD, reinterpret_cast<void*>(FD_CLOEXEC));
  });
}

void Connection::leave_to_exec() {
  for_each_number(*this, [](int fd) {
    if (!fd_table::close_on_exec(fd)) real::fcntl(fd, F_SETFD, nullptr);
  });
}

void Connection::start_clock() {
  int64_t none = 0;
  if (!is_undecided())
    holder().deadline.compare_exchange_strong(none, process::now() + handshake_timeout());
}

void Connection::end() {
  Holder& mine = holder();
  const bool is_last = descriptors(*this) == 0;
  if (is_last) epoll_forget(*this);
  drop_private_part();
  // Without keys the engine was not used, and may not even be there (core.h).
  engine::AeadKey key;
  for (const engine::DirectionState* keys : {&reading_.state.keys, &writing_.state.keys}) {
    std::memcpy(&key, &keys->key, sizeof key);
    if (key.id != 0 && key.cipher <= engine::Cipher::chacha20_poly1305) engine::aead_forget(key);
  }
  explicit_bzero(&key, sizeof key);
  clear_desk();
  arena::release(mine.flight_block, std::exchange(mine.flight, nullptr));
  give_back_buffers();
  if (is_last) {
    if (mine.inbox_was_used || mine.is_shared)
      arena::give_back(arena::inbox_of(this), arena::batch_size);
    if (mine.outbox_was_used) arena::give_back(arena::outbox_of(this), arena::bulk_size);
    explicit_bzero(reinterpret_cast<uint8_t*>(this), sizeof *this);
  }
  mine.begin(Kind::connection);
  arena::end_slot(this);
}

void end_slot(Slot& slot) {
  switch (slot.kind()) {
    case Kind::connection:
      static_cast<Connection&>(slot).end();
      break;
    case Kind::epoll_set:
      epoll_end(static_cast<EpollSet&>(slot));
      break;
    case Kind::relay_end:
      arena::end_slot(&slot);
      break;
  }
}

}  // namespace gaiter::shim
