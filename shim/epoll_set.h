// epoll sets that hold protected sockets: the kernel's readiness, turned into
// plaintext's.
//
// A protected socket is registered in the kernel's set with a token of ours in
// place of the program's data, and with the events that Gaiter needs; other
// descriptors of the set are left to the kernel alone. epoll_wait translates
// back, and adds what the kernel cannot know: plaintext that was read ahead, and
// handshakes that ended elsewhere. These wait in the set's ready list. Whoever
// sleeps in the kernel is woken by the socket itself, which becomes of interest
// for writing for a moment (a kick).
//
// Sets and registrations lie in the arena, as the kernel's set is shared over fork(2): a
// set has a segment of its own, with its registrations, which name each other by numbers
// within it and their connections as members name slots to each other. Whatever is there
// may have been written by anybody who has the set: no number is used unchecked, no
// list followed further than there are registrations. Of a connection that this process
// has not, the program is told what the kernel tells. Locks are taken in this order: a connection's
// reading and writing, its registrations_lock, a set's lock.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "shim/connection.h"
#include "shim/lock.h"
#include "shim/slot.h"

namespace gaiter::shim {

class EpollSet;

// One socket in one set. Guarded by the set's lock. Numbers are those of registrations, from 1.
struct Registration {
  uint32_t generation;  // of this memory: events of an earlier owner are known by it
  uint32_t next_free;
  arena::Reference connection;  // segment 0 = free
  uint64_t data;                // the program's
  uint32_t events;              // the program's
  uint32_t kernel_events;       // as the kernel has them; 0 = its one-shot has fired
  uint32_t pending;             // edges to report that the kernel will not
  uint32_t awaited;             // the epoll_await that is about to look, since the kernel told
  uint64_t told;                // Connection::arrived() at the last edge
  int fd;                       // as registered
  uint32_t round;               // the epoll_await that reported it last,
  uint32_t place;               // and where in its result
  Flag queued;                  // in the set's ready list
  Flag armed;                   // EPOLLONESHOT has not fired
  Flag translated;              // the kernel has our token and events
  Flag kicked;                  // EPOLLOUT was added to wake a waiter
  uint32_t previous_ready, next_ready;
  uint32_t previous_of_set, next_of_set;
  uint32_t next_of_connection;  // in the same set, under another number
};

class EpollSet : public Slot {
 public:
  explicit EpollSet(int number) : Slot(Kind::epoll_set), fd(number) {}

  const int fd;  // as first seen
  Lock lock;
  std::atomic<uint32_t> waiters{0};  // threads asleep in the kernel
  AtomicFlag nested{false};          // a member of another epoll set
  AtomicFlag polled{false};          // poll or select looks at it
  AtomicFlag crowded{false};         // the kernel's events left the news no room
  std::atomic<uint32_t> rounds{0};
  std::atomic<uint32_t> ready_head{0};
  uint32_t ready_tail = 0;
  uint32_t all = 0;
  uint32_t free_head = 0;
  std::atomic<uint32_t> touched{0};               // registrations ever used; those above are virgin
  std::atomic<int64_t> next_deadline{INT64_MAX};  // of the handshakes in the set
  // Sets that are members of this one, to end their handshakes in time, under `lock`. More
  // than these are not seen to while the program sleeps here.
  static constexpr int known_inner = 32;
  arena::Reference inner[known_inner]{};
};
static_assert(sizeof(EpollSet) <= arena::page_size);

// A new epoll descriptor: known from the start, so that its duplicates are, and
// so that nobody sleeps in it unseen when the first socket of ours comes in.
void epoll_created(int epfd);

// The set becomes a member of another one, which sees only what the kernel knows:
// whatever is in the ready list must be kicked. `outer` is that other's descriptor.
void epoll_nest(EpollSet& set, int outer);

// epoll_ctl(2) on a socket of ours.
int epoll_control(int epfd, int operation, int fd, Connection& connection, epoll_event* event);

// epoll_pwait(2) on a set with sockets of ours. `deadline` is absolute
// (process::now()), INT64_MAX = none, 0 = do not wait. `precise`: to the nanosecond,
// as epoll_pwait2(2) waits, else to the millisecond.
int epoll_await(EpollSet& set, int epfd, epoll_event* events, int count, int64_t deadline,
                const sigset_t* mask, bool precise = false);

// Whether epoll_await would report something that the kernel's set does not.
bool epoll_has_news(EpollSet& set);
// Ends the handshakes whose time is up.
void epoll_expire(EpollSet& set);

// The connection became open or failed outside epoll_wait.
void epoll_state_changed(Connection& connection);
// shutdown(2), which is an edge of whatever there is to see.
void epoll_shut_down(Connection& connection);
// Data was read ahead that the sleepers of all registrations but `asking` (or
// nullptr) must hear of.
void epoll_data_arrived(Connection& connection, const Registration* asking);
// The program was told how much it can read, and more has come than that: of the rest
// another edge must tell.
void epoll_rest_uncounted(Connection& connection);
// A call has stopped short of records that are there (connection_idle.cpp): the set is to look
// at them, whatever edge has told of them.
void epoll_rest_unopened(Connection& connection);
// What was read ahead has been read: sets are not to be woken by it any more.
void epoll_data_taken(Connection& connection);
// Sealed bytes began to wait for room in the socket.
void epoll_outbox_waits(Connection& connection);

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
