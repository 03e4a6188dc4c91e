// epoll_pwait(2) on a set that holds protected sockets.
#include <cerrno>
#include <limits>

#include "shim/epoll_registration.h"
#include "shim/epoll_set.h"
#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim {

using namespace epoll;

namespace {

constexpr uint32_t always_reported = EPOLLERR | EPOLLHUP;

// A registration as it was under the set's lock, and a hold on its socket: what
// is needed to look at the socket with the set unlocked.
struct Look {
  Registration* entry = nullptr;
  SlotRef hold;
  Connection* connection = nullptr;
  int fd = -1;
  uint32_t wanted = 0;
  uint32_t pending = 0;
};

bool take_look(Registration& entry, Look& look) {
  if (!entry.armed || !enter(*entry.connection)) return false;
  look.entry = &entry;
  look.hold = SlotRef(entry.connection);
  look.connection = entry.connection;
  look.fd = usable_fd(entry, *entry.connection);
  look.wanted = entry.events;
  look.pending = entry.pending;
  return look.fd >= 0;
}

// Reports what is visible, if the registration is still there and armed, and
// does what the kernel does on a report.
bool report(EpollSet& set, const Look& look, uint32_t visible, bool from_kernel, uint32_t round,
            epoll_event* events, int& count) {
  Registration& entry = *look.entry;
  if (entry.set != &set || entry.connection != look.connection || !entry.armed) return false;
  visible &= entry.events | always_reported;
  if (entry.kicked) {
    entry.kicked = false;
    synchronise(entry);
  }
  if (visible == 0) {
    // The kernel disarmed a one-shot for an event that is none.
    if (from_kernel && (entry.kernel_events & EPOLLONESHOT) != 0)
      tell_kernel(entry, set.fd, EPOLL_CTL_MOD, entry.fd, interest_of(entry));
    return false;
  }
  entry.pending &= ~visible;
  if (entry.round == round) {
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == entry.data) events[i].events |= visible;
    }
    return true;
  }
  entry.round = round;
  events[count].events = visible;
  events[count].data.u64 = entry.data;
  ++count;
  if ((entry.events & EPOLLONESHOT) != 0) {
    if (from_kernel && (entry.kernel_events & EPOLLONESHOT) != 0) {
      entry.armed = false;
    } else {
      disarm(entry);
    }
  } else if ((entry.events & EPOLLET) == 0) {
    enqueue(entry);  // level: to be looked at again by the next wait
  }
  return true;
}

// What the kernel does not know of. Each queued registration is looked at once.
int collect_news(EpollSet& set, uint32_t round, epoll_event* events, int room) {
  int count = 0;
  Registration* last = nullptr;
  for (;;) {
    Look look;
    {
      LockGuard guard(set.lock, true);
      if (!guard.held() || count == room) return count;
      if (last == nullptr) last = set.ready_tail;
      Registration* const entry = dequeue(set);
      if (entry == nullptr) return count;
      if (!take_look(*entry, look)) {
        if (entry == last) return count;
        continue;
      }
    }
    const bool edge = (look.wanted & EPOLLET) != 0;
    uint32_t visible = 0;
    if (!edge || look.pending != 0)
      visible = look.connection->ready(look.fd, look.wanted, edge ? look.pending : 0);
    LockGuard guard(set.lock, true);
    if (!guard.held()) return count;
    if (edge) look.entry->pending &= ~look.pending;
    report(set, look, visible, false, round, events, count);
    if (look.entry == last) return count;
  }
}

// Turns the kernel's events from `first` to `end` into the program's; returns the
// new end.
int translate(EpollSet& set, uint32_t round, epoll_event* events, int first, int end) {
  int count = first;
  for (int i = first; i < end; ++i) {
    const epoll_event event = events[i];
    Look look;
    {
      Registration* const entry = from_token(event.data.u64, set);
      if (entry == nullptr) {
        events[count++] = event;
        continue;
      }
      LockGuard guard(set.lock, true);
      if (!guard.held() || from_token(event.data.u64, set) != entry || !take_look(*entry, look))
        continue;
    }
    const uint32_t visible = look.connection->ready(look.fd, look.wanted, event.events);
    LockGuard guard(set.lock, true);
    if (guard.held()) report(set, look, visible, true, round, events, count);
  }
  return count;
}

// Handshakes whose time is up, and when the next one's is.
void expire(EpollSet& set) {
  set.next_deadline.store(std::numeric_limits<int64_t>::max());
  const int64_t now = process::now();
  for (;;) {
    Look look;
    {
      LockGuard guard(set.lock, true);
      if (!guard.held()) return;
      for (Registration* at = set.all; at != nullptr; at = at->next_of_set) {
        const State state = at->connection->state();
        if (state == State::open || state == State::failed || state == State::fresh) continue;
        if (at->connection->deadline() > now) {
          note_deadline(set, *at->connection);
        } else if (take_look(*at, look)) {
          break;
        }
      }
    }
    if (look.connection == nullptr) return;
    if (look.connection->step(look.fd) != Progress::failed) return;
  }
}

int milliseconds_until(int64_t deadline) {
  if (deadline == std::numeric_limits<int64_t>::max()) return -1;
  const int64_t left = deadline - process::now();
  if (left <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((left + 999'999) / 1'000'000, 1'000'000'000));
}

}  // namespace

int epoll_await(EpollSet& set, int epfd, epoll_event* events, int room, int64_t deadline,
                const sigset_t* mask) {
  if (room <= 0 || events == nullptr) return real::epoll_pwait(epfd, events, room, 0, mask);
  for (;;) {
    uint32_t round;
    {
      LockGuard guard(set.lock, true);
      round = ++set.rounds;
    }
    int count = collect_news(set, round, events, room);
    const int64_t limit = std::min(deadline, set.next_deadline.load());
    const int timeout = count != 0 ? 0 : milliseconds_until(limit);
    int got = 0;
    if (count != room) {
      if (timeout != 0) set.waiters.fetch_add(1);
      struct Awake {
        EpollSet& set;
        bool counted;
        ~Awake() {
          if (counted) set.waiters.fetch_sub(1);
        }
      } awake{set, timeout != 0};
      got = real::epoll_pwait(epfd, events + count, room - count, timeout, mask);
    }
    if (got < 0) return count != 0 ? count : -1;
    count = translate(set, round, events, count, count + got);
    if (count != 0) return count;
    const int64_t now = process::now();
    if (now >= set.next_deadline.load()) expire(set);
    if (now >= deadline) return 0;
  }
}

bool epoll_has_news(EpollSet& set) {
  LockGuard guard(set.lock, true);
  return guard.held() && set.ready_head != nullptr;
}

}  // namespace gaiter::shim
