#include "shim/epoll_registration.h"

#include <sys/auxv.h>

#include <algorithm>
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
int descriptor_of(const EpollSet& set) { return fd_table::number_for(set, set.fd); }

uint32_t room(const EpollSet& set) {
  const size_t most = arena::registrations_of(&set).size / sizeof(Registration);
  return static_cast<uint32_t>(std::min<size_t>(most, (1u << number_bits) - 1));
}

}  // namespace

Entry::Entry(EpollSet& set, Registration& at)
    : set_(&set), at_(&at), hold_(enter_named(at.connection, Kind::connection)) {
  connection_ = as_connection(hold_);
}

uint32_t Entry::number() const { return number_of(*set_, *at_); }

Registration* registration(const EpollSet& set, uint32_t number) {
  if (number == 0 || number > room(set)) return nullptr;
  return reinterpret_cast<Registration*>(arena::registrations_of(&set).data) + (number - 1);
}

uint32_t number_of(const EpollSet& set, const Registration& registration) {
  const auto* const first =
      reinterpret_cast<const Registration*>(arena::registrations_of(&set).data);
  return static_cast<uint32_t>(&registration - first) + 1;
}

uint32_t most_steps(const EpollSet& set) { return std::min(set.touched.load(), room(set)); }

Registration* make_registration(EpollSet& set) {
  Registration* found = registration(set, set.free_head);
  if (found != nullptr) {
    set.free_head = found->next_free;
  } else {
    set.free_head = 0;
    const uint32_t virgin = set.touched.load();
    found = registration(set, virgin + 1);
    if (found == nullptr) return nullptr;
    set.touched.store(virgin + 1);
  }
  const uint32_t generation = found->generation + 1;
  *found = {};
  found->generation = generation;
  return found;
}

void free_registration(EpollSet& set, Registration& registration) {
  registration.connection = {};
  registration.next_free = set.free_head;
  set.free_head = number_of(set, registration);
}

uint64_t token_of(const Entry& entry) {
  return token_mark() << (number_bits + generation_bits) |
         uint64_t{entry->generation & generation_mask} << number_bits | entry.number();
}

bool is_token(uint64_t data) { return data >> (number_bits + generation_bits) == token_mark(); }

Registration* from_token(uint64_t data, const EpollSet& set) {
  Registration* const entry =
      registration(set, static_cast<uint32_t>(data & ((1u << number_bits) - 1)));
  if (entry == nullptr || entry->connection.segment == 0) return nullptr;
  return (entry->generation & generation_mask) == (data >> number_bits & generation_mask) ? entry
                                                                                          : nullptr;
}

uint32_t interest_of(const Entry& entry) {
  const Connection& connection = entry.connection();
  uint32_t events = connection.kernel_interest(entry->events & ~uint32_t{EPOLLEXCLUSIVE});
  const State state = connection.state();
  if (state != State::open && state != State::fresh) events &= ~uint32_t{EPOLLONESHOT};
  if (entry->kicked) events |= EPOLLOUT;
  return events;
}

int add_to_kernel(const Entry& entry, int epfd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = entry->translated ? token_of(entry) : entry->data;
  const int result = real::epoll_ctl(epfd, EPOLL_CTL_ADD, entry->fd, &event);
  if (result == 0) entry->kernel_events = events;
  return result;
}

int tell_kernel(const Entry& entry, uint32_t events) {
  const int epfd = descriptor_of(entry.set());
  if (epfd < 0 || !entry.is_here() || !fd_table::leads_to(entry->fd, entry.connection())) {
    errno = ENOENT;
    return -1;
  }
  epoll_event event{};
  event.events = events;
  event.data.u64 = entry->translated ? token_of(entry) : entry->data;
  const int result = real::epoll_ctl(epfd, EPOLL_CTL_MOD, entry->fd, &event);
  if (result == 0) entry->kernel_events = events;
  return result;
}

// Brings the kernel's events in line. Under edge triggering bits too many are left: they do
// no harm where nobody else looks at the set, and a change is an edge if there is input.
void synchronise(const Entry& entry) {
  if (!entry.is_here() || !entry->translated || !entry->armed) return;
  const uint32_t wanted = interest_of(entry);
  const uint32_t has = entry->kernel_events;
  if (wanted == has) return;
  const bool is_seen = entry.set().nested.load() || entry.set().polled.load();
  if ((wanted & has & EPOLLET) != 0 && (wanted & ~has) == 0 &&
      !(is_seen && entry.connection().kernel_drained())) {
    return;
  }
  const int saved_errno = errno;
  tell_kernel(entry, wanted);
  errno = saved_errno;
}

// EPOLLONESHOT has fired without the kernel's doing. An armed one-shot of the
// kernel's may stay: what it says once more is dropped, unless an outer set hears it.
void disarm(const Entry& entry) {
  entry->armed = false;
  if ((entry->kernel_events & EPOLLONESHOT) == 0 || entry.set().nested.load()) silence(entry);
}

// EPOLLET alone reports nothing that the program could see.
void silence(const Entry& entry) {
  constexpr uint32_t nothing = EPOLLET | EPOLLONESHOT;
  if (entry->armed || (entry->kernel_events & ~nothing) == 0) return;
  const int saved_errno = errno;
  tell_kernel(entry, nothing);
  errno = saved_errno;
}

bool is_stale(const Entry& entry) {
  if (!entry.is_here()) return true;
  const State state = entry.connection().state();
  if (state == State::failed) return false;
  if (is_under_way(state)) return entry->pending == 0;
  if ((entry->pending & ~uint32_t{EPOLLIN}) != 0 && (entry->events & EPOLLET) != 0) return false;
  if ((entry->events & EPOLLET) != 0 && entry->pending == 0) return true;
  return entry.connection().read_hint() == Reading::Hint::nothing;
}

void let_go(const Entry& entry) {
  entry->pending = 0;
  if (!entry->kicked || !entry->armed) return;
  entry->kicked = false;
  synchronise(entry);
}

void enqueue(EpollSet& set, Registration& entry) {
  if (entry.queued) return;
  const uint32_t number = number_of(set, entry);
  Registration* const tail = registration(set, set.ready_tail);
  entry.queued = true;
  entry.next_ready = 0;
  entry.previous_ready = tail != nullptr ? set.ready_tail : 0;
  if (tail != nullptr) {
    tail->next_ready = number;
  } else {
    set.ready_head.store(number);
  }
  set.ready_tail = number;
}

void kick(const Entry& entry) {
  if (!entry.is_here() || entry->kicked || !entry->armed || !entry->translated) return;
  if (entry->awaited != 0 && entry->awaited == entry.set().rounds.load()) return;
  const int saved_errno = errno;
  entry->kicked = true;
  entry.connection().kicked.store(true, std::memory_order_relaxed);
  tell_kernel(entry, entry->kernel_events | EPOLLOUT);
  errno = saved_errno;
}

// A waiter counts itself before it looks at the ready list for the last time, and
// we look at the count after the entry is in the list: one of us sees the other.
void announce(const Entry& entry) {
  EpollSet& set = entry.set();
  enqueue(set, entry.at());
  if (set.waiters.load() != 0 || set.nested.load(std::memory_order_relaxed) ||
      set.polled.load(std::memory_order_relaxed)) {
    kick(entry);
  }
}

namespace {

void unlink_ready(EpollSet& set, Registration& entry) {
  if (!entry.queued) return;
  entry.queued = false;
  Registration* const previous = registration(set, entry.previous_ready);
  Registration* const next = registration(set, entry.next_ready);
  if (previous != nullptr) {
    previous->next_ready = entry.next_ready;
  } else {
    set.ready_head.store(next != nullptr ? entry.next_ready : 0);
  }
  (next != nullptr ? next->previous_ready : set.ready_tail) = entry.previous_ready;
}

}  // namespace

Registration* dequeue(EpollSet& set) {
  Registration* const first = registration(set, set.ready_head.load(std::memory_order_relaxed));
  if (first == nullptr || !first->queued) {  // or somebody has broken the list
    set.ready_head.store(0);
    set.ready_tail = 0;
    return nullptr;
  }
  first->previous_ready = 0;
  unlink_ready(set, *first);
  return first;
}

namespace {

bool names(const Registered& place, const arena::Reference& set) {
  return place.segment == set.segment && place.number == set.number;
}

// Where the connection names the set; else where it names none, or, if there is no such place,
// a set of another process. nullptr: it is in too many.
Registered* place_for(Connection& connection, const arena::Reference& set) {
  Registered* free = nullptr;
  for (Registered& place : connection.registrations) {
    if (names(place, set)) return &place;
    if (place.segment == 0) free = &place;
  }
  for (Registered& place : connection.registrations) {
    if (free == nullptr && arena::resolve({place.segment, place.number}) == nullptr) free = &place;
  }
  if (free != nullptr) *free = {set.segment, set.number, 0};
  return free;
}

}  // namespace

bool link(const Entry& entry) {
  EpollSet& set = entry.set();
  const uint32_t number = entry.number();
  Registered* const place = place_for(entry.connection(), arena::reference_to(&set));
  if (place == nullptr) return false;
  entry->next_of_connection = place->index;
  place->index = number;
  entry->previous_of_set = 0;
  entry->next_of_set = set.all;
  if (Registration* const next = registration(set, set.all)) next->previous_of_set = number;
  set.all = number;
  return true;
}

void unlink_from_set(EpollSet& set, Registration& entry) {
  unlink_ready(set, entry);
  Registration* const previous = registration(set, entry.previous_of_set);
  Registration* const next = registration(set, entry.next_of_set);
  if (next != nullptr) next->previous_of_set = entry.previous_of_set;
  (previous != nullptr ? previous->next_of_set : set.all) = entry.next_of_set;
}

void unlink_from_connection(Connection& connection, EpollSet& set, uint32_t number) {
  const arena::Reference name = arena::reference_to(&set);
  for (Registered& place : connection.registrations) {
    if (!names(place, name)) continue;
    uint32_t* at = &place.index;
    for (uint32_t steps = most_steps(set); steps != 0; --steps) {
      Registration* const seen = registration(set, *at);
      if (seen == nullptr) break;
      if (number_of(set, *seen) == number) {
        *at = seen->next_of_connection;
        break;
      }
      at = &seen->next_of_connection;
    }
    if (place.index == 0) place = {};
  }
}

Entry find_entry(EpollSet& set, const Connection& connection, int fd) {
  const arena::Reference name = arena::reference_to(&set);
  for (const Registered& place : connection.registrations) {
    if (!names(place, name)) continue;
    uint32_t number = place.index;
    for (uint32_t steps = most_steps(set); steps != 0; --steps) {
      Registration* const at = registration(set, number);
      if (at == nullptr) break;
      number = at->next_of_connection;
      if (at->fd != fd) continue;
      Entry found(set, *at);
      if (found.is_here() && &found.connection() == &connection) return found;
    }
  }
  return {};
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
