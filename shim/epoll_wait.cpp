// epoll_pwait(2) on a set that holds protected sockets.
#include <poll.h>

#include <cerrno>
#include <utility>

#include "shim/clock.h"
#include "shim/drain.h"
#include "shim/epoll_registration.h"
#include "shim/epoll_set.h"
#include "shim/fd_table.h"
#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim {

using namespace epoll;

namespace {

constexpr uint32_t always_reported = EPOLLERR | EPOLLHUP;
// While another thread or process is at a connection, which it does not tell.
constexpr int64_t tick = 2'000'000;

// One call of epoll_pwait, up to a result.
struct Harvest {
  EpollSet& set;
  uint32_t round;
  epoll_event* events;
  int room;
  bool precise = false;  // timeouts in nanoseconds
  int count = 0;
  bool ask_again = false;  // something must be looked at again in a moment
};

// A registration as it was under the set's lock, and a hold on its socket: what
// is needed to look at the socket with the set unlocked.
struct Look {
  Entry entry;
  uint32_t number = 0;
  int fd = -1;
  uint32_t wanted = 0;
  uint32_t pending = 0;
  uint64_t arrived = 0;  // of which an edge tells

  uint32_t ready(uint32_t kernel) {
    const uint32_t visible = entry.connection().ready(fd, wanted, kernel, &entry.at());
    if ((wanted & EPOLLET) != 0 && (visible & EPOLLIN) != 0)
      arrived = entry.connection().arrived(fd);
    return visible;
  }
};

bool take_look(Entry entry, const Harvest& harvest, Look& look) {
  entry->awaited = 0;
  // A one-shot that fired in this very round may still gain events.
  if (!entry->armed && entry->round != harvest.round) return false;
  if (!entry.is_here()) return false;
  look.fd = fd_table::number_for(entry.connection(), entry->fd);
  look.wanted = entry->events;
  look.pending = std::exchange(entry->pending, 0);
  look.entry = std::move(entry);
  return look.fd >= 0;
}

// Where in the result the entry already is; -1: nowhere. Should another thread
// have reported it since, the program's data must tell.
int place_of(const Registration& entry, const Harvest& harvest) {
  if (entry.round == harvest.round) {
    const uint32_t place = entry.place;
    return place < static_cast<uint32_t>(harvest.count) ? static_cast<int>(place) : -1;
  }
  if (harvest.set.rounds.load(std::memory_order_relaxed) == harvest.round) return -1;
  for (int i = 0; i < harvest.count; ++i) {
    if (harvest.events[i].data.u64 == entry.data) return i;
  }
  return -1;
}

// The kernel has interest of ours in the socket beside the program's.
void drop_kick(const Entry& entry, bool still_readable) {
  if (!entry->kicked || (still_readable && (entry->events & EPOLLET) == 0 &&
                         entry.set().nested.load(std::memory_order_relaxed))) {
    return;
  }
  entry->kicked = false;
}

void rearm_one_shot(const Entry& entry) {
  if ((entry->kernel_events & EPOLLONESHOT) != 0) tell_kernel(entry, interest_of(entry));
}

// A kick that was left to the kernel: room in the socket is an edge of it, and brings up
// again what an edge has told of.
bool is_echo(const Registration& entry, const Look& look, uint32_t visible) {
  return (entry.events & EPOLLET) != 0 && (entry.kernel_events & ~entry.events & EPOLLOUT) != 0 &&
         look.pending == 0 && (visible & always_reported) == 0 && look.arrived != 0 &&
         look.arrived <= entry.told;
}

// Reports what is visible, if the registration is still there and armed, and
// does what the kernel does on a report. Needs the set's lock.
void report(Harvest& harvest, const Look& look, uint32_t visible, bool from_kernel) {
  const Entry& known = look.entry;
  Registration& entry = known.at();
  EpollSet& set = harvest.set;
  if (arena::resolve(entry.connection) != &known.connection()) return;
  if ((visible & Connection::ask_again) != 0) {
    harvest.ask_again = true;
    if ((entry.events & EPOLLET) != 0) {  // its edge must not be lost
      entry.pending |= ask_kernel | EPOLLOUT;
      enqueue(set, entry);
    }
  }
  visible &= entry.events | always_reported;
  if (from_kernel && is_echo(entry, look, visible)) visible = 0;
  entry.pending &= ~(visible | ((visible & EPOLLIN) != 0 ? ask_kernel : 0));
  entry.told = std::max(entry.told, look.arrived);
  const int place = place_of(entry, harvest);
  if (place >= 0 && (entry.events & EPOLLONESHOT) != 0) {
    harvest.events[place].events |= visible;
    return;
  }
  if (!entry.armed) return;
  drop_kick(known, visible != 0);
  synchronise(known);
  if (visible == 0) {
    // The kernel disarmed a one-shot for an event that is none.
    if (from_kernel) rearm_one_shot(known);
    return;
  }
  if (place >= 0) {
    harvest.events[place].events |= visible;
  } else {
    entry.round = harvest.round;
    entry.place = static_cast<uint32_t>(harvest.count);
    epoll_event& slot = harvest.events[harvest.count++];
    slot.events = visible;
    slot.data.u64 = entry.data;
  }
  if ((entry.events & EPOLLONESHOT) != 0) {
    if (from_kernel && (entry.kernel_events & EPOLLONESHOT) != 0) {
      entry.armed = false;
      entry.kernel_events = 0;
    } else {
      disarm(known);
    }
  } else if ((entry.events & EPOLLET) == 0) {
    enqueue(set, entry);  // level: to be looked at again by the next wait
    if (set.nested.load(std::memory_order_relaxed) &&
        known.connection().read_hint() != Reading::Hint::nothing) {
      kick(known);  // and to be seen by the outer set
    }
  }
}

// The next entry of the ready list that is worth a look; false: none.
bool next_news(Harvest& harvest, const Registration*& last, Look& look, bool& ended) {
  LockGuard guard(harvest.set.lock, true);
  if (!guard.held()) return false;
  if (last == nullptr) last = registration(harvest.set, harvest.set.ready_tail);
  for (uint32_t steps = most_steps(harvest.set); !ended && steps != 0; --steps) {
    if (harvest.count == harvest.room) return false;
    Registration* const at = dequeue(harvest.set);
    if (at == nullptr) return false;
    ended = at == last;
    Entry entry(harvest.set, *at);
    if (is_stale(entry)) {
      let_go(entry);
    } else if (take_look(std::move(entry), harvest, look)) {
      return true;
    } else {
      look = {};
    }
  }
  return false;
}

// What the kernel says of one socket, in poll(2)'s bits.
uint32_t ask_about(const Look& look) {
  pollfd one{look.fd, static_cast<short>(look.entry.connection().kernel_interest(look.wanted)), 0};
  return real::poll(&one, 1, 0) > 0 ? static_cast<uint16_t>(one.revents) : 0;
}

// What the kernel does not know of. Each queued registration is looked at once.
// `alone`: the kernel was not asked before, and may find no room afterwards.
void collect_news(Harvest& harvest, bool alone) {
  const Registration* last = nullptr;
  uint32_t looks = most_steps(harvest.set) + 1;
  for (bool ended = false; !ended && looks != 0; --looks) {
    Look look;
    if (!next_news(harvest, last, look, ended)) return;
    uint32_t kernel = 0;
    if ((look.wanted & EPOLLET) != 0) {
      kernel = look.pending & EPOLLOUT;
      if ((look.pending & ask_kernel) != 0) kernel |= EPOLLIN;
    } else if (alone) {
      kernel = ask_about(look);
    }
    const uint32_t visible = look.ready(kernel);
    LockGuard guard(harvest.set.lock, true);
    if (!guard.held()) return;
    report(harvest, look, visible, false);
  }
}

int milliseconds_until(int64_t limit) {
  if (limit == 0 || limit == forever) return limit == 0 ? 0 : -1;
  const int64_t left = limit - process::now();
  if (left <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((left + 999'999) / 1'000'000, 1'000'000'000));
}

// epoll_pwait(2) behind what was harvested, with an absolute limit.
int ask_kernel_set(const Harvest& harvest, int epfd, int64_t limit, const sigset_t* mask) {
  epoll_event* const events = harvest.events + harvest.count;
  const int room = harvest.room - harvest.count;
  if (harvest.precise && limit != 0 && limit != forever) {
    const timespec time = time_left(limit);
    const int got = real::epoll_pwait2(epfd, events, room, &time, mask);
    if (got >= 0 || errno != ENOSYS) return got;
  }
  return real::epoll_pwait(epfd, events, room, milliseconds_until(limit), mask);
}

// Whom a look at one socket gives news of another that is looked at next, it need not kick:
// under edge triggering the kernel would tell of it once more.
void await_looks(const Harvest& harvest, int first, int count) {
  EpollSet& set = harvest.set;
  if (count < 2 || (!set.nested.load() && !set.polled.load())) return;
  LockGuard guard(set.lock, true);
  for (int i = first; guard.held() && i < first + count; ++i) {
    const uint64_t token = harvest.events[i].data.u64;
    Registration* const entry = is_token(token) ? from_token(token, set) : nullptr;
    if (entry != nullptr) entry->awaited = harvest.round;
  }
}

// A connection of another process, which shares the set: as the kernel has it.
void report_foreign(Harvest& harvest, const Registration& at, uint32_t kernel) {
  const uint32_t visible = kernel & (at.events | always_reported);
  if (visible == 0) {  // what only Gaiter's part in that process asked for
    harvest.ask_again = true;
    return;
  }
  epoll_event& slot = harvest.events[harvest.count++];
  slot.events = visible;
  slot.data.u64 = at.data;
}

// Takes the kernel's events, up to the room that is left, for the program's.
int collect_from_kernel(Harvest& harvest, int epfd, int64_t limit, const sigset_t* mask) {
  const int first = harvest.count;
  const int got = ask_kernel_set(harvest, epfd, limit, mask);
  await_looks(harvest, first, got);
  for (int i = first; i < first + got; ++i) {
    const epoll_event event = harvest.events[i];
    if (!is_token(event.data.u64)) [[unlikely]] {
      harvest.events[harvest.count++] = event;
      continue;
    }
    Look look;
    {
      LockGuard guard(harvest.set.lock, true);
      if (!guard.held()) continue;
      Registration* const at = from_token(event.data.u64, harvest.set);
      if (at == nullptr) continue;
      Entry entry(harvest.set, *at);
      if (!entry.is_here()) {
        report_foreign(harvest, *at, event.events);
        continue;
      }
      if (!take_look(std::move(entry), harvest, look)) continue;
    }
    uint32_t kernel = event.events | (look.pending & EPOLLOUT);
    if ((look.pending & ask_kernel) != 0) kernel |= EPOLLIN;
    const uint32_t visible = look.ready(kernel);
    LockGuard guard(harvest.set.lock, true);
    if (guard.held()) report(harvest, look, visible, true);
  }
  return got;
}

// A thread that is about to sleep in the kernel.
class Waiter {
 public:
  explicit Waiter(EpollSet& set) : set_(set) { set_.waiters.fetch_add(1); }
  ~Waiter() { set_.waiters.fetch_sub(1); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

 private:
  EpollSet& set_;
};

// Calls visit(inner) for each set that is a member of `set` (one level: deeper nests
// are rare, and their handshakes end when their own sets are asked).
template <class Visit>
void for_each_inner(EpollSet& set, Visit visit) {
  for (const arena::Reference& name : set.inner) {
    const SlotRef inner = enter_named(name, Kind::epoll_set);
    if (inner) visit(static_cast<EpollSet&>(*inner.get()));
  }
}

// When the first handshake ends that this set, or one in it, must see to.
int64_t handshakes_end(EpollSet& set) {
  int64_t first = set.next_deadline.load();
  for_each_inner(set,
                 [&](EpollSet& inner) { first = std::min(first, inner.next_deadline.load()); });
  return first;
}

void expire_all(EpollSet& set) {
  epoll_expire(set);
  for_each_inner(set, [](EpollSet& inner) { epoll_expire(inner); });
}

// Asks the kernel; sleeps if nothing was found yet.
int wait(Harvest& harvest, int epfd, int64_t deadline, const sigset_t* mask) {
  if (harvest.count != 0 || deadline == 0) return collect_from_kernel(harvest, epfd, 0, mask);
  const Waiter waiter(harvest.set);
  if (harvest.ask_again)
    deadline = std::min(deadline, process::now() + tick);
  else if (epoll_has_news(harvest.set))
    return collect_from_kernel(harvest, epfd, 0, mask);
  return collect_from_kernel(harvest, epfd, std::min(deadline, handshakes_end(harvest.set)), mask);
}

}  // namespace

// Handshakes whose time is up, and when the next one's is.
void epoll_expire(EpollSet& set) {
  const int64_t now = process::now();
  if (now < set.next_deadline.load()) return;
  set.next_deadline.store(forever);
  for (uint32_t looks = most_steps(set); looks != 0; --looks) {
    Entry due;
    int fd = -1;
    {
      LockGuard guard(set.lock, true);
      if (!guard.held()) return;
      for_each_of(set, [&](Registration& at) {
        Entry entry(set, at);
        if (!entry.is_here()) return true;
        const int64_t deadline = entry.connection().deadline();
        if (!is_under_way(entry.connection().state()) || deadline == 0) return true;
        if (deadline > now) {
          note_deadline(set, deadline);
          return true;
        }
        fd = fd_table::number_for(entry.connection(), at.fd);
        if (fd >= 0) due = std::move(entry);
        return fd < 0;
      });
    }
    if (!due) return;
    const Progress progress = due.connection().step(fd);
    if (is_under_way(due.connection().state()) && due.connection().deadline() <= now) {
      // Somebody else is at it: soon again, for this and those behind it.
      if (progress != Progress::failed) note_deadline(set, now + 100 * tick);
      return;
    }
  }
}

int epoll_await(EpollSet& set, int epfd, epoll_event* events, int room, int64_t deadline,
                const sigset_t* mask, bool precise) {
  if (room <= 0 || events == nullptr) return real::epoll_pwait(epfd, events, room, 0, mask);
  for (;;) {
    Harvest harvest{set, set.rounds.fetch_add(1) + 1, events, room, precise};
    // Both are asked for the same sockets: the kernel comes first, since what it finds may
    // not fit behind the news; the next time it is the other way round, so that neither
    // starves the other.
    const bool news_first =
        set.crowded.load(std::memory_order_relaxed) && set.crowded.exchange(false);
    const bool news = epoll_has_news(set);
    const bool asked = news && !news_first;
    if (asked && collect_from_kernel(harvest, epfd, 0, mask) < 0) return -1;
    if (news) collect_news(harvest, news_first);
    if (asked && harvest.count == room) set.crowded.store(set.ready_head.load() != 0);
    const bool more = asked ? harvest.count == 0 && deadline != 0 : harvest.count != room;
    const int64_t limit = harvest.count == 0 ? drain_before_sleep(deadline) : deadline;
    if (more && wait(harvest, epfd, limit, mask) < 0)
      return harvest.count != 0 ? harvest.count : -1;
    if (harvest.count != 0) return harvest.count;
    if (harvest.ask_again) {
      // The kernel may go on saying what cannot be acted on now.
      const timespec pause{.tv_sec = 0, .tv_nsec = tick};
      if (deadline != 0 && real::ppoll(nullptr, 0, &pause, mask) < 0) return -1;
    }
    const int64_t now = process::now();
    if (now >= handshakes_end(set)) expire_all(set);
    if (now >= deadline) return 0;
  }
}

bool epoll_has_news(EpollSet& set) {
  if (set.ready_head.load(std::memory_order_relaxed) == 0) return false;
  LockGuard guard(set.lock, true);
  if (!guard.held()) return false;
  for (uint32_t steps = most_steps(set) + 1; steps != 0; --steps) {
    Registration* const first = registration(set, set.ready_head.load());
    if (first != nullptr) {
      const Entry entry(set, *first);
      if (first->armed && !is_stale(entry)) return true;
    }
    Registration* const dropped = dequeue(set);
    if (dropped == nullptr) return false;
    if (const Entry entry(set, *dropped); entry.is_here()) let_go(entry);
  }
  return false;
}

}  // namespace gaiter::shim
