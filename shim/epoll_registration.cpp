#include "shim/epoll_registration.h"

#include <sys/auxv.h>

#include <cerrno>
#include <cstring>

#include "shim/fd_table.h"
#include "shim/real.h"

namespace gaiter::shim::epoll {

namespace {

// A token: 24 random bits that no pointer and no small number has above, the
// generation, the registration's number.
constexpr int number_bits = 24;
constexpr int generation_bits = 16;
constexpr uint32_t generation_mask = (1u << generation_bits) - 1;

uint64_t token_mark() {
  static const uint64_t mark = [] {
    uint32_t random = 0;
    const auto* const seed = reinterpret_cast<const void*>(getauxval(AT_RANDOM));
    if (seed != nullptr) std::memcpy(&random, seed, sizeof random);
    return (random & 0xff'ffff) | 0x40'0000;
  }();
  return mark;
}

// The set's number in this process: as first seen, or a duplicate's. -1: none.
int number_of(const EpollSet& set) { return fd_table::number_for(set, set.fd); }

}  // namespace

Registration* make_entry() {
  auto* const entry = static_cast<Registration*>(arena::allocate(arena::Block::registration));
  if (entry == nullptr) return nullptr;
  const uint32_t generation = entry->generation + 1;
  *entry = {};
  entry->generation = generation;
  return entry;
}

void free_entry(Registration& entry) {
  entry.connection = nullptr;
  arena::release(arena::Block::registration, &entry);
}

uint64_t token_of(const Registration& entry) {
  return token_mark() << (number_bits + generation_bits) |
         uint64_t{entry.generation & generation_mask} << number_bits |
         arena::number_of(arena::Block::registration, &entry);
}

bool is_token(uint64_t data) { return data >> (number_bits + generation_bits) == token_mark(); }

Registration* from_token(uint64_t data, const EpollSet& set) {
  const auto number = static_cast<uint32_t>(data & ((1u << number_bits) - 1));
  if (number == 0 || number >= arena::number_limit(arena::Block::registration)) return nullptr;
  auto* const entry = static_cast<Registration*>(arena::at(arena::Block::registration, number));
  if (entry->set != &set || entry->connection == nullptr || token_of(*entry) != data)
    return nullptr;
  return entry;
}

uint32_t interest_of(const Registration& entry) {
  const Connection& connection = *entry.connection;
  uint32_t events = connection.kernel_interest(entry.events & ~uint32_t{EPOLLEXCLUSIVE});
  const State state = connection.state();
  if (state != State::open && state != State::fresh) events &= ~uint32_t{EPOLLONESHOT};
  if (entry.kicked) events |= EPOLLOUT;
  return events;
}

int add_to_kernel(Registration& entry, int epfd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = entry.translated ? token_of(entry) : entry.data;
  const int result = real::epoll_ctl(epfd, EPOLL_CTL_ADD, entry.fd, &event);
  if (result == 0) entry.kernel_events = events;
  return result;
}

int tell_kernel(Registration& entry, uint32_t events) {
  const int epfd = number_of(*entry.set);
  if (epfd < 0 || !fd_table::leads_to(entry.fd, *entry.connection)) {
    errno = ENOENT;
    return -1;
  }
  epoll_event event{};
  event.events = events;
  event.data.u64 = entry.translated ? token_of(entry) : entry.data;
  const int result = real::epoll_ctl(epfd, EPOLL_CTL_MOD, entry.fd, &event);
  if (result == 0) entry.kernel_events = events;
  return result;
}

// Brings the kernel's events in line. Under edge triggering bits too many are left: they do
// no harm where nobody else looks at the set, and a change is an edge if there is input.
void synchronise(Registration& entry) {
  if (!entry.translated || !entry.armed) return;
  const uint32_t wanted = interest_of(entry);
  const uint32_t has = entry.kernel_events;
  if (wanted == has) return;
  const bool is_seen = entry.set->nested.load() || entry.set->polled.load();
  if ((wanted & has & EPOLLET) != 0 && (wanted & ~has) == 0 &&
      !(is_seen && entry.connection->kernel_drained())) {
    return;
  }
  const int saved_errno = errno;
  tell_kernel(entry, wanted);
  errno = saved_errno;
}

// EPOLLONESHOT has fired without the kernel's doing. An armed one-shot of the
// kernel's may stay: what it says once more is dropped, unless an outer set hears it.
void disarm(Registration& entry) {
  entry.armed = false;
  if ((entry.kernel_events & EPOLLONESHOT) == 0 || entry.set->nested.load()) silence(entry);
}

// EPOLLET alone reports nothing that the program could see.
void silence(Registration& entry) {
  constexpr uint32_t nothing = EPOLLET | EPOLLONESHOT;
  if (entry.armed || (entry.kernel_events & ~nothing) == 0) return;
  const int saved_errno = errno;
  tell_kernel(entry, nothing);
  errno = saved_errno;
}

bool is_stale(const Registration& entry) {
  const State state = entry.connection->state();
  if (state == State::failed) return false;
  if (is_under_way(state)) return entry.pending == 0;
  if ((entry.pending & ~uint32_t{EPOLLIN}) != 0 && (entry.events & EPOLLET) != 0) return false;
  if ((entry.events & EPOLLET) != 0 && entry.pending == 0) return true;
  return entry.connection->read_hint() == Reading::Hint::nothing;
}

void let_go(Registration& entry) {
  entry.pending = 0;
  if (!entry.kicked || !entry.armed) return;
  entry.kicked = false;
  synchronise(entry);
}

void enqueue(Registration& entry) {
  if (entry.queued) return;
  EpollSet& set = *entry.set;
  entry.queued = true;
  entry.next_ready = nullptr;
  entry.previous_ready = set.ready_tail;
  if (set.ready_tail != nullptr) {
    set.ready_tail->next_ready = &entry;
  } else {
    set.ready_head.store(&entry);
  }
  set.ready_tail = &entry;
}

void kick(Registration& entry) {
  if (entry.kicked || !entry.armed || !entry.translated) return;
  if (entry.awaited != 0 && entry.awaited == entry.set->rounds.load()) return;
  const int saved_errno = errno;
  entry.kicked = true;
  entry.connection->kicked.store(true, std::memory_order_relaxed);
  tell_kernel(entry, entry.kernel_events | EPOLLOUT);
  errno = saved_errno;
}

// A waiter counts itself before it looks at the ready list for the last time, and
// we look at the count after the entry is in the list: one of us sees the other.
void announce(Registration& entry) {
  enqueue(entry);
  const EpollSet& set = *entry.set;
  if (set.waiters.load() != 0 || set.nested.load(std::memory_order_relaxed) ||
      set.polled.load(std::memory_order_relaxed)) {
    kick(entry);
  }
}

namespace {

void unlink_ready(Registration& entry) {
  if (!entry.queued) return;
  EpollSet& set = *entry.set;
  entry.queued = false;
  if (entry.previous_ready != nullptr) {
    entry.previous_ready->next_ready = entry.next_ready;
  } else {
    set.ready_head.store(entry.next_ready);
  }
  (entry.next_ready != nullptr ? entry.next_ready->previous_ready : set.ready_tail) =
      entry.previous_ready;
}

}  // namespace

Registration* dequeue(EpollSet& set) {
  Registration* const first = set.ready_head.load(std::memory_order_relaxed);
  if (first != nullptr) unlink_ready(*first);
  return first;
}

void link(Registration& entry, EpollSet& set, Connection& connection) {
  entry.previous_of_set = nullptr;
  entry.next_of_set = set.all;
  if (set.all != nullptr) set.all->previous_of_set = &entry;
  set.all = &entry;
  entry.next_of_connection = connection.registrations;
  connection.registrations = &entry;
}

void unlink_from_set(Registration& entry) {
  unlink_ready(entry);
  if (entry.next_of_set != nullptr) entry.next_of_set->previous_of_set = entry.previous_of_set;
  (entry.previous_of_set != nullptr ? entry.previous_of_set->next_of_set : entry.set->all) =
      entry.next_of_set;
}

void unlink_from_connection(Connection& connection, const Registration& entry) {
  for (Registration** at = &connection.registrations; *at != nullptr;
       at = &(*at)->next_of_connection) {
    if (*at != &entry) continue;
    *at = entry.next_of_connection;
    break;
  }
}

Registration* find_entry(const EpollSet& set, const Connection& connection, int fd) {
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    if (at->set == &set && at->fd == fd) return at;
  }
  return nullptr;
}

bool note_deadline(EpollSet& set, int64_t deadline) {
  int64_t seen = set.next_deadline.load();
  while (deadline < seen) {
    if (set.next_deadline.compare_exchange_weak(seen, deadline)) return true;
  }
  return false;
}

bool is_under_way(State state) {
  return state == State::pending || state == State::connecting || state == State::handshaking;
}

}  // namespace gaiter::shim::epoll
