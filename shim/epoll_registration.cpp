#include "shim/epoll_registration.h"

#include <sys/auxv.h>

#include <cerrno>
#include <cstring>

#include "shim/fd_table.h"
#include "shim/real.h"

namespace gaiter::shim::epoll {

namespace {

// The upper half of a token: random, and no pointer or small number has it.
uint32_t token_mark() {
  static const uint32_t mark = [] {
    uint32_t random = 0;
    const auto* const seed = reinterpret_cast<const void*>(getauxval(AT_RANDOM));
    if (seed != nullptr) std::memcpy(&random, seed, sizeof random);
    return random | 0x4000'0000;
  }();
  return mark;
}

}  // namespace

uint64_t token_of(const Registration& entry) {
  return uint64_t{token_mark()} << 32 | arena::number_of(arena::Block::registration, &entry);
}

// The registration that an event of the kernel belongs to; nullptr: not ours.
Registration* from_token(uint64_t data, const EpollSet& set) {
  const auto number = static_cast<uint32_t>(data);
  if (data >> 32 != token_mark() || number == 0 ||
      number >= arena::number_limit(arena::Block::registration)) {
    return nullptr;
  }
  auto* const entry = static_cast<Registration*>(arena::at(arena::Block::registration, number));
  return entry->set == &set && entry->connection != nullptr ? entry : nullptr;
}

uint32_t interest_of(const Registration& entry) {
  const Connection& connection = *entry.connection;
  uint32_t events = connection.kernel_interest(entry.events & ~uint32_t{EPOLLEXCLUSIVE});
  const State state = connection.state();
  if (state != State::open && state != State::fresh) events &= ~uint32_t{EPOLLONESHOT};
  if (entry.kicked) events |= EPOLLOUT;
  return events;
}

int tell_kernel(Registration& entry, int epfd, int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = entry.translated ? token_of(entry) : entry.data;
  const int result = real::epoll_ctl(epfd, operation, fd, &event);
  if (result == 0) entry.kernel_events = events;
  return result;
}

// Brings the kernel's events in line. Under edge triggering bits too many do no
// harm, and are left.
void synchronise(Registration& entry) {
  if (!entry.translated || !entry.armed) return;
  const uint32_t wanted = interest_of(entry);
  const uint32_t has = entry.kernel_events;
  if (wanted == has) return;
  if ((wanted & has & EPOLLET) != 0 && (wanted & ~has) == 0) return;
  const int saved_errno = errno;
  tell_kernel(entry, entry.set->fd, EPOLL_CTL_MOD, entry.fd, wanted);
  errno = saved_errno;
}

// EPOLLONESHOT has fired without the kernel's doing: EPOLLET alone reports
// nothing that the program could see.
void disarm(Registration& entry) {
  entry.armed = false;
  if ((entry.kernel_events & EPOLLONESHOT) == 0 || entry.kicked)
    tell_kernel(entry, entry.set->fd, EPOLL_CTL_MOD, entry.fd, EPOLLET | EPOLLONESHOT);
}

void enqueue(Registration& entry) {
  if (entry.queued) return;
  EpollSet& set = *entry.set;
  entry.queued = true;
  entry.next_ready = nullptr;
  (set.ready_tail != nullptr ? set.ready_tail->next_ready : set.ready_head) = &entry;
  set.ready_tail = &entry;
  if (set.waiters.load(std::memory_order_acquire) != 0 && !entry.kicked && entry.armed) {
    // Somebody sleeps in the kernel, which knows nothing of this: a socket that
    // becomes of interest for writing wakes him.
    entry.kicked = true;
    tell_kernel(entry, set.fd, EPOLL_CTL_MOD, entry.fd, entry.kernel_events | EPOLLOUT);
  }
}

Registration* dequeue(EpollSet& set) {
  Registration* const first = set.ready_head;
  if (first == nullptr) return nullptr;
  set.ready_head = first->next_ready;
  if (set.ready_head == nullptr) set.ready_tail = nullptr;
  first->queued = false;
  return first;
}

void unlink_ready(Registration& entry) {
  if (!entry.queued) return;
  EpollSet& set = *entry.set;
  Registration* before = nullptr;
  for (Registration* at = set.ready_head; at != &entry; at = at->next_ready) before = at;
  (before != nullptr ? before->next_ready : set.ready_head) = entry.next_ready;
  if (set.ready_tail == &entry) set.ready_tail = before;
  entry.queued = false;
}

void unlink_from_set(Registration& entry) {
  unlink_ready(entry);
  for (Registration** at = &entry.set->all; *at != nullptr; at = &(*at)->next_of_set) {
    if (*at != &entry) continue;
    *at = entry.next_of_set;
    break;
  }
}

void note_deadline(EpollSet& set, const Connection& connection) {
  const int64_t deadline = connection.deadline();
  if (deadline == 0 || connection.state() == State::open) return;
  int64_t seen = set.next_deadline.load();
  while (deadline < seen && !set.next_deadline.compare_exchange_weak(seen, deadline)) {
  }
}

// A number of this process for the socket: the registered one, unless that was
// closed and only a duplicate is left. -1: none.
int usable_fd(const Registration& entry, const Connection& connection) {
  if (fd_table::find(entry.fd).get() == &connection) return entry.fd;
  struct Search {
    const Slot* wanted;
    int found;
  } search{&connection, -1};
  fd_table::for_each(
      [](int fd, Slot& slot, void* context) {
        auto* const sought = static_cast<Search*>(context);
        if (&slot == sought->wanted) sought->found = fd;
      },
      &search);
  return search.found;
}

Registration* find_entry(const EpollSet& set, const Connection& connection, int fd) {
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    if (at->set == &set && at->fd == fd) return at;
  }
  return nullptr;
}

void unlink_from_connection(Connection& connection, const Registration& entry) {
  for (Registration** at = &connection.registrations; *at != nullptr;
       at = &(*at)->next_of_connection) {
    if (*at != &entry) continue;
    *at = entry.next_of_connection;
    break;
  }
}

void free_entry(Registration& entry) {
  entry.connection = nullptr;
  arena::release(arena::Block::registration, &entry);
}

}  // namespace gaiter::shim::epoll
