#include "shim/epoll_set.h"

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
  if (!fd_table::publish(epfd, *set)) return {};
  return fd_table::find(epfd);
}

// ADD and MOD: the state is looked at anew, as the kernel does.
void rearm(Registration& entry) {
  entry.armed = true;
  entry.kicked = false;
  Connection& connection = *entry.connection;
  const State state = connection.state();
  if (state == State::fresh) return;
  if (state != State::open && state != State::failed) connection.start_clock();
  note_deadline(*entry.set, connection);
  if (state == State::failed || connection.read_hint() != Reading::Hint::nothing) {
    entry.pending |= EPOLLIN;
    if (state == State::failed) entry.pending |= EPOLLOUT;
    enqueue(entry);
  }
}

int add(int epfd, EpollSet& set, int fd, Connection& connection, const epoll_event& event) {
  auto* const entry = static_cast<Registration*>(arena::allocate(arena::Block::registration));
  if (entry == nullptr) {
    errno = ENOMEM;
    return -1;
  }
  *entry = {};
  entry->set = &set;
  entry->connection = &connection;
  entry->fd = fd;
  entry->events = event.events;
  entry->data = event.data.u64;
  entry->translated = connection.state() != State::fresh;
  const uint32_t wanted = entry->translated ? interest_of(*entry) : event.events;
  if (tell_kernel(*entry, epfd, EPOLL_CTL_ADD, fd, wanted) != 0) {
    free_entry(*entry);
    return -1;
  }
  entry->next_of_set = set.all;
  set.all = entry;
  entry->next_of_connection = connection.registrations;
  connection.registrations = entry;
  rearm(*entry);
  return 0;
}

}  // namespace

int epoll_control(int epfd, int operation, int fd, Connection& connection, epoll_event* event) {
  if (operation != EPOLL_CTL_DEL && event == nullptr)
    return real::epoll_ctl(epfd, operation, fd, event);
  const SlotRef found = set_of(epfd, operation == EPOLL_CTL_ADD);
  if (!found || found.get()->kind != Kind::epoll_set)
    return real::epoll_ctl(epfd, operation, fd, event);  // says EINVAL, EBADF or ENOENT
  auto& set = static_cast<EpollSet&>(*found.get());
  LockGuard list(connection.registrations_lock, true);
  LockGuard guard(set.lock, true);
  if (!list.held() || !guard.held()) {
    errno = EAGAIN;
    return -1;
  }
  Registration* const entry = find_entry(set, connection, fd);
  if (operation == EPOLL_CTL_ADD && entry == nullptr) return add(epfd, set, fd, connection, *event);
  if (entry == nullptr || operation == EPOLL_CTL_ADD)
    return real::epoll_ctl(epfd, operation, fd, event);  // ENOENT, EEXIST
  if (operation == EPOLL_CTL_DEL) {
    const int result = real::epoll_ctl(epfd, operation, fd, event);
    if (result == 0) {
      unlink_from_set(*entry);
      unlink_from_connection(connection, *entry);
      free_entry(*entry);
    }
    return result;
  }
  const Registration before = *entry;
  entry->events = event->events;
  entry->data = event->data.u64;
  entry->kicked = false;
  const uint32_t wanted = entry->translated ? interest_of(*entry) : event->events;
  if (tell_kernel(*entry, epfd, EPOLL_CTL_MOD, fd, wanted) != 0) {
    entry->events = before.events;
    entry->data = before.data;
    return -1;
  }
  rearm(*entry);
  return 0;
}

void epoll_state_changed(Connection& connection, int) {
  if (connection.registrations == nullptr) return;
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return;
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    LockGuard guard(at->set->lock, true);
    if (!guard.held() || !at->armed) continue;
    synchronise(*at);
    const State state = connection.state();
    if (state == State::open || state == State::failed) {
      at->pending |= EPOLLOUT;
      if (state == State::failed || connection.read_hint() != Reading::Hint::nothing)
        at->pending |= EPOLLIN;
      enqueue(*at);
    }
  }
}

void epoll_data_arrived(Connection& connection, int) {
  if (connection.registrations == nullptr) return;
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return;
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    LockGuard guard(at->set->lock, true);
    if (!guard.held() || !at->armed) continue;
    at->pending |= EPOLLIN;
    enqueue(*at);
  }
}

bool epoll_adopt(Connection& connection) {
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return false;
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    LockGuard guard(at->set->lock, true);
    if (!guard.held()) return false;
    at->translated = true;
    if (tell_kernel(*at, at->set->fd, EPOLL_CTL_MOD, at->fd, interest_of(*at)) != 0) return false;
    rearm(*at);
  }
  return true;
}

void epoll_give_back(Connection& connection) {
  LockGuard list(connection.registrations_lock, true);
  if (!list.held()) return;
  for (Registration* at = connection.registrations; at != nullptr; at = at->next_of_connection) {
    LockGuard guard(at->set->lock, true);
    if (!guard.held()) continue;
    at->translated = false;
    const int saved_errno = errno;
    tell_kernel(*at, at->set->fd, EPOLL_CTL_MOD, at->fd, at->events);
    errno = saved_errno;
  }
}

void epoll_forget(Connection& connection) {
  while (Registration* const entry = connection.registrations) {
    LockGuard guard(entry->set->lock, true);
    unlink_from_set(*entry);
    connection.registrations = entry->next_of_connection;
    free_entry(*entry);
  }
}

void epoll_end(EpollSet& set) {
  while (Registration* const entry = set.all) {
    Connection* const connection = entry->connection;
    LockGuard list(connection->registrations_lock, true);
    unlink_from_set(*entry);
    unlink_from_connection(*connection, *entry);
    free_entry(*entry);
  }
  set.~EpollSet();
  arena::release(arena::Block::slot, &set);
}

void epoll_after_fork_in_child() { new (&creating) Lock; }

}  // namespace gaiter::shim
