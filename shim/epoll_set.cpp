#include "shim/epoll_set.h"

#include <sched.h>

#include <cerrno>
#include <new>

#include "shim/epoll_registration.h"
#include "shim/fd_table.h"
#include "shim/log.h"
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
  void* const memory = arena::make_set_slot();
  if (memory == nullptr) return {};
  auto* const set = new (memory) EpollSet(epfd);
  if (!fd_table::publish(epfd, *set)) {
    arena::end_slot(memory);
    return {};
  }
  return fd_table::find(epfd);
}

// Whoever sleeps in the entry's set must get up for the deadline, if there is one.
void mind_deadline(const Entry& entry) {
  const int64_t deadline = entry.connection().deadline();
  if (deadline != 0 && note_deadline(entry.set(), deadline) && entry.set().waiters.load() != 0)
    kick(entry);
}

// The state is looked at anew, as the kernel does at ADD and MOD.
void rearm(const Entry& entry) {
  entry->armed = true;
  entry->pending = 0;
  entry->told = 0;
  Connection& connection = entry.connection();
  const State state = connection.state();
  if (state == State::fresh) return;
  if (is_under_way(state)) {
    if (state == State::connecting) return;
    connection.start_clock();
    // Edges of both kinds are asked for without a wish to write.
    if ((entry->events & (EPOLLOUT | EPOLLET)) == EPOLLOUT) connection.wants_to_speak();
    mind_deadline(entry);
  } else if (connection.read_hint() != Reading::Hint::nothing) {
    entry->pending |= EPOLLIN;
    if (state == State::failed) entry->pending |= EPOLLOUT;
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
  Registration* const made = make_registration(set);
  if (made == nullptr) return fail_with(ENOMEM);
  made->connection = arena::reference_to(&connection);
  made->fd = fd;
  made->events = event.events;
  made->data = event.data.u64;
  made->translated = connection.state() != State::fresh;
  const Entry entry(set, *made);
  if (!entry.is_here() || !link(entry)) {
    free_registration(set, *made);
    log::line(
        log::Level::warning,
        "refused cause=local errno=ENOSPC reason=\"descriptor {} is in {} epoll sets already\"", fd,
        Connection::most_registrations);
    return fail_with(ENOSPC);
  }
  if (add_to_kernel(entry, epfd, made->translated ? interest_of(entry) : event.events) != 0) {
    const int error = errno;
    unlink_from_set(set, *made);
    unlink_from_connection(connection, set, entry.number());
    free_registration(set, *made);
    return fail_with(error);
  }
  rearm(entry);
  return 0;
}

int modify(const Entry& entry, const epoll_event& event) {
  // Whether a registration is exclusive is said once, at ADD.
  if (((entry->events | event.events) & EPOLLEXCLUSIVE) != 0) return fail_with(EINVAL);
  const uint32_t events_before = entry->events;
  const uint64_t data_before = entry->data;
  const bool was_kicked = entry->kicked;
  entry->events = event.events;
  entry->data = event.data.u64;
  entry->kicked = false;
  if (tell_kernel(entry, entry->translated ? interest_of(entry) : event.events) != 0) {
    entry->events = events_before;
    entry->data = data_before;
    entry->kicked = was_kicked;
    return -1;
  }
  rearm(entry);
  return 0;
}

int remove(const Entry& entry, int epfd, int fd) {
  if (real::epoll_ctl(epfd, EPOLL_CTL_DEL, fd, nullptr) != 0) return -1;
  unlink_from_set(entry.set(), entry.at());
  unlink_from_connection(entry.connection(), entry.set(), entry.number());
  free_registration(entry.set(), entry.at());
  return 0;
}

// Calls visit(set, registration) with each of `connection` in the sets that are here, under
// the set's lock. Whose list this is, or the end of the connection, keeps others out.
template <class Visit>
void for_each_registration(Connection& connection, Visit visit) {
  for (Registered& place : connection.registrations) {
    const Registered known = place;
    if (known.segment == 0) continue;
    const SlotRef found = enter_named({known.segment, known.number}, Kind::epoll_set);
    if (!found) continue;
    auto& set = static_cast<EpollSet&>(*found.get());
    // Of one whose lock was lost nothing is waited for again: it is its other holders' now.
    if (set.holder().is_foreign.load(std::memory_order_relaxed)) continue;
    const LockGuard guard(set.lock, true);
    if (guard.result() == LockResult::lost) set.holder().is_foreign = true;
    if (!guard.held()) continue;  // or a signal handler that interrupted the holder
    uint32_t number = known.index;
    for (uint32_t steps = most_steps(set); steps != 0; --steps) {
      Registration* const at = registration(set, number);
      if (at == nullptr) break;
      number = at->next_of_connection;
      if (arena::resolve(at->connection) == &connection) visit(set, *at);
    }
  }
}

// Calls change(entry) for each registration of `connection` that is armed.
template <class Change>
void for_each_armed(Connection& connection, Change change) {
  if (!connection.has_registrations()) return;
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return;
  for_each_registration(connection, [&](EpollSet& set, Registration& at) {
    const Entry entry(set, at);
    if (entry.is_here() && at.armed) change(entry);
  });
}

}  // namespace

bool Connection::has_registrations() const {
  for (const Registered& place : registrations)
    if (place.segment != 0) return true;
  return false;
}

void epoll_created(int epfd) {
  const int saved_errno = errno;
  set_of(epfd, true);
  errno = saved_errno;
}

void epoll_nest(EpollSet& set, int outer) {
  if (const SlotRef found = fd_table::find(outer);
      found && found.get()->kind() == Kind::epoll_set && found.get() != &set) {
    const arena::Reference name = arena::reference_to(&set);
    auto& around = static_cast<EpollSet&>(*found.get());
    const LockGuard guard(around.lock, true);
    for (auto& place : around.inner) {
      if (!guard.held() || (place.segment == name.segment && place.number == name.number)) break;
      if (arena::resolve(place) != nullptr) continue;
      place = name;
      break;
    }
  }
  LockGuard guard(set.lock, true);
  set.nested.store(true);
  if (!guard.held()) return;
  for_each_of(set, [&](Registration& at) {
    silence(Entry(set, at));
    return true;
  });
  uint32_t number = set.ready_head.load();
  for (uint32_t steps = most_steps(set); steps != 0; --steps) {
    Registration* const at = registration(set, number);
    if (at == nullptr) break;
    number = at->next_ready;
    const Entry entry(set, *at);
    if (!is_stale(entry)) kick(entry);
  }
}

int epoll_control(int epfd, int operation, int fd, Connection& connection, epoll_event* event) {
  const bool known = operation == EPOLL_CTL_ADD || operation == EPOLL_CTL_MOD;
  if (operation != EPOLL_CTL_DEL && (!known || event == nullptr))
    return real::epoll_ctl(epfd, operation, fd, event);
  const SlotRef found = set_of(epfd, operation == EPOLL_CTL_ADD);
  if (!found || found.get()->kind() != Kind::epoll_set)
    return real::epoll_ctl(epfd, operation, fd, event);  // says EINVAL, EBADF or ENOENT
  auto& set = static_cast<EpollSet&>(*found.get());
  LockGuard list(connection.registrations_lock, true);
  LockGuard guard(set.lock, true);
  if (!list.held() || !guard.held()) return fail_with(EAGAIN);
  const Entry entry = find_entry(set, connection, fd);
  if (operation == EPOLL_CTL_ADD && !entry) return add(epfd, set, fd, connection, *event);
  if (!entry || operation == EPOLL_CTL_ADD)
    return real::epoll_ctl(epfd, operation, fd, event);  // ENOENT, EEXIST
  return operation == EPOLL_CTL_DEL ? remove(entry, epfd, fd) : modify(entry, *event);
}

void epoll_state_changed(Connection& connection) {
  for_each_armed(connection, [&](const Entry& entry) {
    synchronise(entry);
    const State state = connection.state();
    if (is_under_way(state)) {
      mind_deadline(entry);
      return;
    }
    if (!connection.output_waits()) entry->pending |= EPOLLOUT;
    if (connection.read_hint() != Reading::Hint::nothing) {
      entry->pending |= EPOLLIN;
    } else if (!connection.kernel_drained()) {
      entry->pending |= ask_kernel;
    }
    announce(entry);
  });
}

void epoll_shut_down(Connection& connection) {
  for_each_armed(connection, [&](const Entry& entry) {
    uint32_t edge = connection.output_waits() ? 0 : entry->events & EPOLLOUT;
    if (connection.read_hint() != Reading::Hint::nothing) edge |= EPOLLIN;
    if (edge == 0) return;
    entry->pending |= edge;
    announce(entry);
  });
}

void epoll_data_arrived(Connection& connection, const Registration* asking) {
  for_each_armed(connection, [&](const Entry& entry) {
    if (&entry.at() == asking || (entry->events & (EPOLLIN | EPOLLRDNORM | EPOLLRDHUP)) == 0)
      return;
    if ((entry->events & EPOLLET) != 0 && entry->told >= connection.taken()) return;
    entry->pending |= EPOLLIN;
    announce(entry);
  });
}

void epoll_rest_uncounted(Connection& connection) {
  for_each_armed(connection, [](const Entry& entry) {
    if ((entry->events & EPOLLET) == 0) return;
    entry->told = 0;
    entry->pending |= EPOLLIN | ask_kernel;
    announce(entry);
  });
}

void epoll_rest_unopened(Connection& connection) {
  for_each_armed(connection, [](const Entry& entry) {
    if ((entry->events & (EPOLLIN | EPOLLRDNORM | EPOLLRDHUP)) == 0) return;
    entry->told = 0;
    entry->pending |= (entry->events & EPOLLET) != 0 ? EPOLLIN | ask_kernel : EPOLLIN;
    announce(entry);
  });
}

void epoll_data_taken(Connection& connection) {
  connection.kicked.store(false, std::memory_order_relaxed);
  for_each_armed(connection, [](const Entry& entry) {
    if (entry->kicked && is_stale(entry)) let_go(entry);
  });
}

void epoll_outbox_waits(Connection& connection) { for_each_armed(connection, synchronise); }

bool epoll_adopt(Connection& connection) {
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return false;
  bool done = true;
  for_each_registration(connection, [&](EpollSet& set, Registration& at) {
    const Entry entry(set, at);
    if (!done || !entry.is_here()) return;
    at.translated = fd_table::leads_to(at.fd, connection);
    if (!at.translated) return;  // of a number that was closed: beyond reach for ever
    if (tell_kernel(entry, interest_of(entry)) != 0) {
      // Exclusive ones cannot be changed, only made anew.
      const int epfd = fd_table::number_for(set, set.fd);
      done = errno == EINVAL && real::epoll_ctl(epfd, EPOLL_CTL_DEL, at.fd, nullptr) == 0 &&
             add_to_kernel(entry, epfd, interest_of(entry)) == 0;
    }
    if (done) rearm(entry);
  });
  return done;
}

void epoll_give_back(Connection& connection) {
  const int saved_errno = errno;
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return;
  for_each_registration(connection, [&](EpollSet& set, Registration& at) {
    const Entry entry(set, at);
    if (!entry.is_here()) return;
    at.translated = false;
    at.kicked = false;
    tell_kernel(entry, at.events & ~uint32_t{EPOLLEXCLUSIVE});
  });
  errno = saved_errno;
}

// Nobody can enter the connection any more, so that nobody but us changes its list.
void epoll_forget(Connection& connection) {
  for_each_registration(connection, [&](EpollSet& set, Registration& at) {
    unlink_from_set(set, at);
    free_registration(set, at);
  });
}

// Of a set that others have too the registrations stay. Its connections name it until then, in
// vain: its segment's name is never used again.
void epoll_end(EpollSet& set) {
  if (descriptors(set) == 0) {
    const LockGuard guard(set.lock, true);
    for (uint32_t left = most_steps(set); guard.held() && left != 0; --left) {
      Registration* const at = registration(set, set.all);
      if (at == nullptr) break;
      const Entry entry(set, *at);
      unlink_from_set(set, *at);
      if (entry.is_here()) unlink_from_connection(entry.connection(), set, entry.number());
    }
  }
  set.holder().begin(Kind::epoll_set);
  arena::end_slot(&set);
}

void epoll_after_fork_in_child() { new (&creating) Lock; }

}  // namespace gaiter::shim
