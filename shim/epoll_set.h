// epoll sets that hold protected sockets: the kernel's readiness, turned into
// plaintext's.
//
// A protected socket is registered in the kernel's set with a token of ours in
// place of the program's data, and with the events that Gaiter needs; other
// descriptors of the set are left to the kernel alone. epoll_wait translates
// back, and adds what the kernel cannot know: plaintext that was read ahead, and
// handshakes that ended elsewhere. Sets and registrations lie in the arena, as
// the kernel's set is shared over fork(2).
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "shim/connection.h"
#include "shim/lock.h"
#include "shim/slot.h"

namespace gaiter::shim {

class EpollSet;

// One socket in one set. Guarded by the set's lock.
struct Registration {
  uint32_t arena_link;
  bool queued;      // in the set's ready list
  bool armed;       // EPOLLONESHOT has not fired
  bool translated;  // the kernel has our token and events
  bool kicked;      // EPOLLOUT was added to wake a waiter
  EpollSet* set;
  Connection* connection;  // nullptr = free
  int fd;                  // as registered
  uint32_t events;         // the program's
  uint32_t kernel_events;  // as the kernel has them
  uint32_t round;          // the epoll_await that reported it last
  uint32_t pending;        // edges to report that the kernel will not
  uint64_t data;           // the program's
  Registration* next_of_connection;
  Registration* next_ready;
  Registration* next_of_set;
};
static_assert(sizeof(Registration) <= arena::registration_size);

class EpollSet : public Slot {
 public:
  explicit EpollSet(int number) : Slot(Kind::epoll_set), fd(number) {}

  const int fd;  // as first seen
  Lock lock;
  std::atomic<uint32_t> waiters{0};  // threads asleep in the kernel
  uint32_t rounds = 0;
  Registration* ready_head = nullptr;
  Registration* ready_tail = nullptr;
  Registration* all = nullptr;
  std::atomic<int64_t> next_deadline{INT64_MAX};  // of the handshakes in the set
};
static_assert(sizeof(EpollSet) <= arena::slot_size);

// epoll_ctl(2) on a socket of ours.
int epoll_control(int epfd, int operation, int fd, Connection& connection, epoll_event* event);

// epoll_pwait(2) on a set with sockets of ours. `deadline` is absolute
// (process::now()), INT64_MAX = none, 0 = do not wait.
int epoll_await(EpollSet& set, int epfd, epoll_event* events, int count, int64_t deadline,
                const sigset_t* mask);

// Whether epoll_await would report something that the kernel's set does not.
bool epoll_has_news(EpollSet& set);

// The connection's state changed (connecting, open, failed, outbox), or data was
// read ahead, outside epoll_wait.
void epoll_state_changed(Connection& connection, int fd);
void epoll_data_arrived(Connection& connection, int fd);

// Before a watched socket becomes protected: false if a registration cannot be
// taken over; nothing may be sent then.
bool epoll_adopt(Connection& connection);
// The socket goes back to plain.
void epoll_give_back(Connection& connection);

// The last descriptor of a socket, or of a set, is gone.
void epoll_forget(Connection& connection);
void epoll_end(EpollSet& set);

void epoll_after_fork_in_child();

}  // namespace gaiter::shim
