// The pieces that epoll_set.cpp and epoll_wait.cpp share: one socket in one set.
// All but the functions on tokens need the set's lock.
#pragma once

#include "shim/epoll_set.h"

namespace gaiter::shim::epoll {

// In `pending`: the kernel's queue may hold input whose edge was used up.
inline constexpr uint32_t ask_kernel = EPOLLRDNORM;

// A registration as this process knows it: with its connection, kept from ending.
class Entry {
 public:
  Entry() = default;
  Entry(EpollSet& set, Registration& at);

  explicit operator bool() const { return at_ != nullptr; }
  Registration* operator->() const { return at_; }
  Registration& at() const { return *at_; }
  EpollSet& set() const { return *set_; }
  // Whether this process has the connection; and that.
  bool is_here() const { return connection_ != nullptr; }
  Connection& connection() const { return *connection_; }
  uint32_t number() const;

 private:
  EpollSet* set_ = nullptr;
  Registration* at_ = nullptr;
  SlotRef hold_;
  Connection* connection_ = nullptr;
};

// That number's; nullptr if it is none of the set's.
Registration* registration(const EpollSet& set, uint32_t number);
uint32_t number_of(const EpollSet& set, const Registration& registration);
// How many steps a walk through a list may take.
uint32_t most_steps(const EpollSet& set);

// nullptr: no memory. free_registration() gives back.
Registration* make_registration(EpollSet& set);
void free_registration(EpollSet& set, Registration& registration);

uint64_t token_of(const Entry& entry);
// Whether `data` is a token of this library's, be it of a registration that is gone.
bool is_token(uint64_t data);
// The registration that a token stands for; nullptr if it is gone.
Registration* from_token(uint64_t data, const EpollSet& set);

uint32_t interest_of(const Entry& entry);
// epoll_ctl(2) with the entry's token. To modify needs both numbers to lead where
// they led at first: another file may have taken them since.
int add_to_kernel(const Entry& entry, int epfd, uint32_t events);
int tell_kernel(const Entry& entry, uint32_t events);
void synchronise(const Entry& entry);
void disarm(const Entry& entry);
// Of a disarmed entry: the kernel's set does not tell of it to an outer one either.
void silence(const Entry& entry);

// Whether a queued entry can be dropped unseen: what had been read ahead is read.
bool is_stale(const Entry& entry);
// Of such an entry, whose set the kernel need not wake.
void let_go(const Entry& entry);

// Into the ready list, for the next wait; announce() also wakes who waits now.
void enqueue(EpollSet& set, Registration& entry);
void announce(const Entry& entry);
void kick(const Entry& entry);
Registration* dequeue(EpollSet& set);

// False: the connection is in too many sets.
bool link(const Entry& entry);
void unlink_from_set(EpollSet& set, Registration& entry);
// Under the connection's registrations_lock.
void unlink_from_connection(Connection& connection, EpollSet& set, uint32_t number);
Entry find_entry(EpollSet& set, const Connection& connection, int fd);

// True if the set's next deadline came nearer.
bool note_deadline(EpollSet& set, int64_t deadline);
bool is_under_way(State state);

// Calls visit(registration) for each of the set's.
template <class Visit>
void for_each_of(EpollSet& set, Visit visit) {
  uint32_t number = set.all;
  for (uint32_t steps = most_steps(set); steps != 0; --steps) {
    Registration* const at = registration(set, number);
    if (at == nullptr) return;
    number = at->next_of_set;
    if (!visit(*at)) return;
  }
}

}  // namespace gaiter::shim::epoll
