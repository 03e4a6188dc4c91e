#include "shim/connection.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "shim/epoll_set.h"
#include "shim/fd_table.h"
#include "shim/private_part.h"
#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

// What this process alone knows of a slot.
struct PrivateEntry {
  std::atomic<void*> part;
  engine::HighWater mark;  // under the lock of Writing
};

// One entry a slot, in private memory; address space only until touched.
constinit std::atomic<PrivateEntry*> private_entries = nullptr;

PrivateEntry* private_table() {
  PrivateEntry* table = private_entries.load(std::memory_order_acquire);
  if (table != nullptr) return table;
  const size_t size = arena::number_limit(arena::Block::slot) * sizeof(PrivateEntry);
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* const fresh = static_cast<PrivateEntry*>(memory);
  if (private_entries.compare_exchange_strong(table, fresh, std::memory_order_acq_rel))
    return fresh;
  munmap(memory, size);
  return table;
}

}  // namespace

Connection* Connection::make_watched() {
  collect_abandoned_slots();
  void* const memory = arena::allocate(arena::Block::slot);
  if (memory == nullptr) return nullptr;
  auto* const connection = new (memory) Connection;
  connection->drop_private_part();  // of one that ended in another process
  return connection;
}

Connection* Connection::make_pending(ActiveRule& rule, ClearText clear) {
  Connection* const connection = make_watched();
  if (connection != nullptr) {
    connection->rule_ = &rule;
    connection->clear_ = clear;
    connection->state_.store(State::pending, std::memory_order_release);
  }
  return connection;
}

Connection* Connection::make_refused(int error) {
  Connection* const connection = make_watched();
  if (connection != nullptr) {
    connection->error_.store(error);
    connection->reading_.hint.store(Reading::Hint::something);
    connection->state_.store(State::failed, std::memory_order_release);
  }
  return connection;
}

std::vector<const ActiveRule*> Connection::rules_in_use() {
  std::vector<const ActiveRule*> rules;
  for (uint32_t number = arena::handed_out(arena::Block::slot); number != 0; --number) {
    auto* const slot = static_cast<const Slot*>(arena::at(arena::Block::slot, number));
    if (slot->kind != Kind::connection) continue;
    const auto* const rule =
        static_cast<const Connection*>(slot)->rule_.load(std::memory_order_relaxed);
    if (rule != nullptr) rules.push_back(rule);
  }
  return rules;
}

Connection::PrivatePart* Connection::private_part() const {
  PrivateEntry* const table = private_entries.load(std::memory_order_acquire);
  if (table == nullptr) return nullptr;
  return static_cast<PrivatePart*>(
      table[arena::number_of(arena::Block::slot, this)].part.load(std::memory_order_acquire));
}

Connection::PrivatePart* Connection::make_private_part() {
  if (PrivatePart* const present = private_part()) return present;
  PrivateEntry* const table = private_table();
  if (table == nullptr) return nullptr;
  auto* const fresh = new PrivatePart;
  table[arena::number_of(arena::Block::slot, this)].part.store(fresh, std::memory_order_release);
  return fresh;
}

void Connection::drop_private_part() {
  PrivateEntry* const table = private_entries.load(std::memory_order_acquire);
  if (table == nullptr) return;
  delete static_cast<PrivatePart*>(
      table[arena::number_of(arena::Block::slot, this)].part.exchange(nullptr));
}

// Of an earlier connection in the same slot until the first record is sealed: keys tell.
// nullptr: no memory.
engine::HighWater* Connection::high_water() const {
  PrivateEntry* const table = private_table();
  return table == nullptr ? nullptr : &table[arena::number_of(arena::Block::slot, this)].mark;
}

void Connection::set_remote(const sockaddr* remote) {
  const size_t length = remote->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(&remote_, remote, length);
}

namespace {

uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return real::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

}  // namespace

void Connection::identify(int fd) { cookie_ = cookie_of(fd); }

int Connection::still(int fd) const {
  const int number = fd_table::number_for(*this, fd);
  return number >= 0 ? number : fd;
}

bool Connection::is_socket(int fd) const { return cookie_ == 0 || cookie_ == cookie_of(fd); }

bool Connection::begin_connect(ActiveRule& rule, std::string server_name, const sockaddr* remote) {
  {
    LockGuard guard(writing_.lock, false);
    if (!guard.held() || state() != State::fresh) return false;
    rule_ = &rule;
    set_remote(remote);
    if (PrivatePart* const mine = make_private_part()) mine->server_name = std::move(server_name);
    state_.store(State::connecting, std::memory_order_release);
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
  deadline_.store(0, std::memory_order_relaxed);
  connect_error_.store(error);
  state_.store(State::fresh, std::memory_order_release);
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
    deadline_.compare_exchange_strong(none, process::now() + handshake_timeout());
}

void Connection::end() {
  epoll_forget(*this);
  drop_private_part();
  // Without keys the engine was not used, and may not even be there (core.h).
  if (reading_.state.keys.key.id != 0) engine::aead_forget(reading_.state.keys.key);
  if (writing_.state.keys.key.id != 0) engine::aead_forget(writing_.state.keys.key);
  arena::release(arena::Block::batch, reading_.inbox.data);
  if (flight_.batch != 0) arena::release(flight_.block, arena::at(flight_.block, flight_.batch));
  release_outbox();
  this->~Connection();
  explicit_bzero(reinterpret_cast<uint8_t*>(this) + sizeof(Slot), sizeof *this - sizeof(Slot));
  arena::release(arena::Block::slot, this);
}

void end_slot(Slot& slot) {
  switch (slot.kind) {
    case Kind::connection:
      static_cast<Connection&>(slot).end();
      break;
    case Kind::epoll_set:
      epoll_end(static_cast<EpollSet&>(slot));
      break;
    case Kind::relay_end:
      arena::release(arena::Block::slot, &slot);
      break;
  }
}

}  // namespace gaiter::shim
