// The pieces that epoll_set.cpp and epoll_wait.cpp share: one socket in one set.
// All but token_of and from_token need the set's lock.
#pragma once

#include "shim/epoll_set.h"

namespace gaiter::shim::epoll {

uint64_t token_of(const Registration& entry);
Registration* from_token(uint64_t data, const EpollSet& set);

uint32_t interest_of(const Registration& entry);
int tell_kernel(Registration& entry, int epfd, int operation, int fd, uint32_t events);
void synchronise(Registration& entry);
void disarm(Registration& entry);

void enqueue(Registration& entry);
Registration* dequeue(EpollSet& set);
void unlink_from_set(Registration& entry);
void unlink_from_connection(Connection& connection, const Registration& entry);
void free_entry(Registration& entry);
Registration* find_entry(const EpollSet& set, const Connection& connection, int fd);

void note_deadline(EpollSet& set, const Connection& connection);
int usable_fd(const Registration& entry, const Connection& connection);

}  // namespace gaiter::shim::epoll
