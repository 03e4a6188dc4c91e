#include "shim/epoll_set.h"

#include <sched.h>

#include <cerrno>
#include <new>

#include "shim/epoll_registration.h"
#include "shim/fd_table.h"
#include "shim/real.h"

namespace gaiter::shim {

using namespace epoll;

namespace {

constinit Lock creating;

SlotRef set_of(int epfd, bool create) {
  SlotRef found = fd_table::find(epfd);
  if (found || !create) return found;
  LockGuard guard(creating, true);
  if (!guard.held()) return {};
  found = fd_table::find(epfd);
  if (found) return found;
  void* const memory = arena::allocate(arena::Block::slot);
  if (memory == nullptr) return {};
  auto* const set = new (memory) EpollSet(epfd);
  if (!fd_table::publish(epfd, *set)) {
    set->~EpollSet();
    arena::release(arena::Block::slot, memory);
    return {};
  }
  return fd_table::find(epfd);
}

// Whoever sleeps in the entry's set must get up for the deadline, if there is one.
void mind_deadline(Registration& entry) {
  const int64_t deadline = entry.connection->deadline();
  if (deadline != 0 && note_deadline(*entry.set, deadline) && entry.set->waiters.load() != 0)
    kick(entry);
}

// The state is looked at anew, as the kernel does at ADD and MOD.
void rearm(Registration& entry) {
  entry.armed = true;
  entry.pending = 0;
  entry.told = 0;
  Connection& connection = *entry.connection;
  const State state = connection.state();
  if (state == State::fresh) return;
  if (is_under_way(state)) {
    if (state == State::connecting) return;
    connection.start_clock();
    // Edges of both kinds are asked for without a wish to write.
    if ((entry.events & (EPOLLOUT | EPOLLET)) == EPOLLOUT) connection.wants_to_speak();
    mind_deadline(entry);
  } else if (connection.read_hint() != Reading::Hint::nothing) {
    entry.pending |= EPOLLIN;
    if (state == State::failed) entry.pending |= EPOLLOUT;
    announce(entry);
  }
}

// What the kernel allows beside EPOLLEXCLUSIVE (epoll_ctl(2)).
constexpr uint32_t exclusive_events =
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

bool allowed(uint32_t events) {
  return (events & EPOLLEXCLUSIVE) == 0 || (events & ~exclusive_events) == 0;
}

int fail_with(int error) {
  errno = error;
  return -1;
}

int add(int epfd, EpollSet& set, int fd, Connection& connection, const epoll_event& event) {
  if (!allowed(event.events)) return fail_with(EINVAL);
  Registration* const entry = make_entry();
  if (entry == nullptr) return fail_with(ENOMEM);
  entry->set = &set;
  entry->connection = &connection;
  entry->fd = fd;
  entry->events = event.events;
  entry->data = event.data.u64;
  entry->translated = connection.state() != State::fresh;
  if (add_to_kernel(*entry, epfd, entry->translated ? interest_of(*entry) : event.events) != 0) {
    free_entry(*entry);
    return -1;
  }
  link(*entry, set, connection);
  rearm(*entry);
  return 0;
}

int modify(Registration& entry, const epoll_event& event) {
  // Whether a registration is exclusive is said once, at ADD.
  if (((entry.events | event.events) & EPOLLEXCLUSIVE) != 0) return fail_with(EINVAL);
  const uint32_t events_before = entry.events;
  const uint64_t data_before = entry.data;
  const bool was_kicked = entry.kicked;
  entry.events = event.events;
  entry.data = event.data.u64;
  entry.kicked = false;
  if (tell_kernel(entry, entry.translated ? interest_of(entry) : event.events) != 0) {
    entry.events = events_before;
    entry.data = data_before;
    entry.kicked = was_kicked;
    return -1;
  }
  rearm(entry);
  return 0;
}

int remove(Registration& entry, int epfd, int fd) {
  if (real::epoll_ctl(epfd, EPOLL_CTL_DEL, fd, nullptr) != 0) return -1;
  Connection& connection = *entry.connection;
  unlink_from_set(entry);
  unlink_from_connection(connection, entry);
  free_entry(entry);
  return 0;
}

// Calls change(entry) for each registration of `connection` that is armed.
template <class Change>
void for_each_armed(Connection& connection, Change change) {
  if (connection.registrations == nullptr) return;
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return;
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    LockGuard guard(at->set->lock, true);
    if (guard.held() && at->armed) change(*at);
  }
}

}  // namespace

void epoll_created(int epfd) {
  const int saved_errno = errno;
  set_of(epfd, true);
  errno = saved_errno;
}

void epoll_nest(EpollSet& set, int outer) {
  if (const SlotRef found = fd_table::find(outer);
      found && found.get()->kind == Kind::epoll_set && found.get() != &set) {
    const uint32_t number = arena::number_of(arena::Block::slot, &set);
    for (auto& place : static_cast<EpollSet&>(*found.get()).inner) {
      uint32_t seen = place.load();
      if (seen == number || (seen == 0 && place.compare_exchange_strong(seen, number))) break;
    }
  }
  LockGuard guard(set.lock, true);
  set.nested.store(true);
  for (Registration* at = set.all; guard.held() && at != nullptr; at = at->next_of_set)
    silence(*at);
  for (Registration* at = set.ready_head.load(); guard.held() && at != nullptr;
       at = at->next_ready) {
    if (!is_stale(*at)) kick(*at);
  }
}

int epoll_control(int epfd, int operation, int fd, Connection& connection, epoll_event* event) {
  const bool known = operation == EPOLL_CTL_ADD || operation == EPOLL_CTL_MOD;
  if (operation != EPOLL_CTL_DEL && (!known || event == nullptr))
    return real::epoll_ctl(epfd, operation, fd, event);
  const SlotRef found = set_of(epfd, operation == EPOLL_CTL_ADD);
  if (!found || found.get()->kind != Kind::epoll_set)
    return real::epoll_ctl(epfd, operation, fd, event);  // says EINVAL, EBADF or ENOENT
  auto& set = static_cast<EpollSet&>(*found.get());
  LockGuard list(connection.registrations_lock, true);
  LockGuard guard(set.lock, true);
  if (!list.held() || !guard.held()) return fail_with(EAGAIN);
  Registration* const entry = find_entry(set, connection, fd);
  if (operation == EPOLL_CTL_ADD && entry == nullptr) return add(epfd, set, fd, connection, *event);
  if (entry == nullptr || operation == EPOLL_CTL_ADD)
    return real::epoll_ctl(epfd, operation, fd, event);  // ENOENT, EEXIST
  return operation == EPOLL_CTL_DEL ? remove(*entry, epfd, fd) : modify(*entry, *event);
}

void epoll_state_changed(Connection& connection) {
  for_each_armed(connection, [&](Registration& entry) {
    synchronise(entry);
    const State state = connection.state();
    if (is_under_way(state)) {
      mind_deadline(entry);
      return;
    }
    if (!connection.output_waits()) entry.pending |= EPOLLOUT;
    if (connection.read_hint() != Reading::Hint::nothing) {
      entry.pending |= EPOLLIN;
    } else if (!connection.kernel_drained()) {
      entry.pending |= ask_kernel;
    }
    announce(entry);
  });
}

void epoll_shut_down(Connection& connection) {
  for_each_armed(connection, [&](Registration& entry) {
    uint32_t edge = connection.output_waits() ? 0 : entry.events & EPOLLOUT;
    if (connection.read_hint() != Reading::Hint::nothing) edge |= EPOLLIN;
    if (edge == 0) return;
    entry.pending |= edge;
    announce(entry);
  });
}

void epoll_data_arrived(Connection& connection, const Registration* asking) {
  for_each_armed(connection, [&](Registration& entry) {
    if (&entry == asking || (entry.events & (EPOLLIN | EPOLLRDNORM | EPOLLRDHUP)) == 0) return;
    if ((entry.events & EPOLLET) != 0 && entry.told >= connection.taken()) return;
    entry.pending |= EPOLLIN;
    announce(entry);
  });
}

void epoll_rest_uncounted(Connection& connection) {
  for_each_armed(connection, [](Registration& entry) {
    if ((entry.events & EPOLLET) == 0) return;
    entry.told = 0;
    entry.pending |= EPOLLIN | ask_kernel;
    announce(entry);
  });
}

void epoll_data_taken(Connection& connection) {
  connection.kicked.store(false, std::memory_order_relaxed);
  for_each_armed(connection, [](Registration& entry) {
    if (entry.kicked && is_stale(entry)) let_go(entry);
  });
}

void epoll_outbox_waits(Connection& connection) { for_each_armed(connection, synchronise); }

bool epoll_adopt(Connection& connection) {
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return false;
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    LockGuard guard(at->set->lock, true);
    if (!guard.held()) return false;
    at->translated = fd_table::leads_to(at->fd, connection);
    if (!at->translated) continue;  // of a number that was closed: beyond reach for ever
    if (tell_kernel(*at, interest_of(*at)) != 0) {
      // Exclusive ones cannot be changed, only made anew.
      const int epfd = fd_table::number_for(*at->set, at->set->fd);
      if (errno != EINVAL || real::epoll_ctl(epfd, EPOLL_CTL_DEL, at->fd, nullptr) != 0 ||
          add_to_kernel(*at, epfd, interest_of(*at)) != 0) {
        return false;
      }
    }
    rearm(*at);
  }
  return true;
}

void epoll_give_back(Connection& connection) {
  const int saved_errno = errno;
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return;
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    LockGuard guard(at->set->lock, true);
    if (!guard.held()) continue;
    at->translated = false;
    at->kicked = false;
    tell_kernel(*at, at->events & ~uint32_t{EPOLLEXCLUSIVE});
  }
  errno = saved_errno;
}

// Nobody can enter the connection any more, so that nobody but us changes its
// list; its sets are there as long as it is in them (epoll_end).
void epoll_forget(Connection& connection) {
  while (Registration* const entry = connection.registrations) {
    LockGuard guard(entry->set->lock, true);
    unlink_from_set(*entry);
    connection.registrations = entry->next_of_connection;
    free_entry(*entry);
  }
}

void epoll_end(EpollSet& set) {
  for (int patience = 10'000;;) {
    SlotRef hold;
    Connection* connection;
    {
      LockGuard guard(set.lock, true);
      if (set.all == nullptr) break;
      connection = set.all->connection;
      if (enter(*connection)) hold = SlotRef(connection);
    }
    if (!hold) {  // it is ending, and about to leave by itself
      // Unless who was about to end it has been killed: then memory is what it costs.
      if (--patience == 0) return;
      sched_yield();
      continue;
    }
    LockGuard list(connection->registrations_lock, true);
    LockGuard guard(set.lock, true);
    for (Registration* at = connection->registrations; at != nullptr; at = at->next_of_connection) {
      if (at->set != &set) continue;
      unlink_from_set(*at);
      unlink_from_connection(*connection, *at);
      free_entry(*at);
      break;
    }
  }
  set.~EpollSet();
  arena::release(arena::Block::slot, &set);
}

void epoll_after_fork_in_child() { new (&creating) Lock; }

}  // namespace gaiter::shim
