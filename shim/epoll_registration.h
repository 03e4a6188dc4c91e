// The pieces that epoll_set.cpp and epoll_wait.cpp share: one socket in one set.
// All but the functions on tokens need the set's lock.
#pragma once

#include "shim/epoll_set.h"

namespace gaiter::shim::epoll {

// In `pending`: the kernel's queue may hold input whose edge was used up.
inline constexpr uint32_t ask_kernel = EPOLLRDNORM;

// nullptr: no memory. free_entry() gives back.
Registration* make_entry();
void free_entry(Registration& entry);

uint64_t token_of(const Registration& entry);
// Whether `data` is a token of this library's, be it of a registration that is gone.
bool is_token(uint64_t data);
// The registration that a token stands for; nullptr if it is gone.
Registration* from_token(uint64_t data, const EpollSet& set);

uint32_t interest_of(const Registration& entry);
// epoll_ctl(2) with the entry's token. To modify needs both numbers to lead where
// they led at first: another file may have taken them since.
int add_to_kernel(Registration& entry, int epfd, uint32_t events);
int tell_kernel(Registration& entry, uint32_t events);
void synchronise(Registration& entry);
void disarm(Registration& entry);
// Of a disarmed entry: the kernel's set does not tell of it to an outer one either.
void silence(Registration& entry);

// Whether a queued entry can be dropped unseen: what had been read ahead is read.
bool is_stale(const Registration& entry);
// Of such an entry, whose set the kernel need not wake.
void let_go(Registration& entry);

// Into the ready list, for the next wait; announce() also wakes who waits now.
void enqueue(Registration& entry);
void announce(Registration& entry);
void kick(Registration& entry);
Registration* dequeue(EpollSet& set);

void link(Registration& entry, EpollSet& set, Connection& connection);
void unlink_from_set(Registration& entry);
void unlink_from_connection(Connection& connection, const Registration& entry);
Registration* find_entry(const EpollSet& set, const Connection& connection, int fd);

// True if the set's next deadline came nearer.
bool note_deadline(EpollSet& set, int64_t deadline);
bool is_under_way(State state);

}  // namespace gaiter::shim::epoll
