// What poll, select and epoll say of one socket, in many small cases.
//
//   readiness CASE server|client PORT REFUSED_PORT
//
// The subject (this process, server or client) makes the calls and prints what
// they gave; the peer, a child forked before any socket was made, does what it is
// told over a pipe. Run plain and under Gaiter, the output must be the same.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1024 };

// A case: what the subject does; in the tables of level.c and the other files.
struct scenario {
  const char* name;
  void (*run)(void);
};
#define CASE(name) \
  { #name, name }
extern const struct scenario level_cases[], edge_cases[], shots_cases[], registrations_cases[],
    connecting_cases[], ends_cases[], time_cases[], numbers_cases[], threads_cases[];

extern int is_server;
extern struct sockaddr_in address, refused_address;
extern int to_peer[2], from_peer[2];
extern int listener;

void die(const char* what) __attribute__((noreturn));
int ok(int result, const char* what);
double now(clockid_t clock);
void nap(int milliseconds);
void set_nonblocking(int fd, int on);
int make_listener(void);
void read_exactly(int fd, size_t length);
void be_peer(void) __attribute__((noreturn));
void await_peer(void);
void order(const char* format, ...);
const char* names(uint32_t events, char* text);
int wait_for(int ep, int timeout, int most, const char* label);
int look(int ep, const char* label);
void control(int ep, int operation, int fd, uint32_t wanted, int tag);
void add(int ep, int fd, uint32_t wanted, int tag);
void modify(int ep, int fd, uint32_t wanted, int tag);
void poll_one(int fd, short wanted, int timeout, const char* label);
void select_one(int fd, int timeout, const char* label);
void take(int fd, size_t amount, const char* label);
size_t take_all(int fd);
int connect_now(int nonblocking);
// A connection with nothing under way in it: both ends have sent and read.
int open_one(int which);
// Runs out of room in the socket. Returns what was taken.
size_t fill(int fd);
// Nothing must happen, and nobody work, for a while.
void calm(int ep, const char* label);

#define PEER(...) (order(__VA_ARGS__), await_peer(), nap(15))

// Sleeps for ever, in one way or another, until a peer that is no program of ours has
// said something.
void with_stranger(const char* way);
