// What poll, select and epoll say of one socket, in many small cases.
//
//   readiness CASE server|client PORT REFUSED_PORT
//
// The subject (this process, server or client) makes the calls and prints what
// they gave; the peer, a child forked before any socket was made, does what it is
// told over a pipe. Run plain and under Gaiter, the output must be the same.
#define _GNU_SOURCE
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

static int is_server;
static struct sockaddr_in address, refused_address;
static int to_peer[2], from_peer[2];
static int listener = -1;

static void die(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  fflush(stdout);
  _exit(1);
}

static int ok(int result, const char* what) {
  if (result < 0) die(what);
  return result;
}

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void nap(int milliseconds) { usleep((useconds_t)milliseconds * 1000); }

static void set_nonblocking(int fd, int on) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static int make_listener(void) {
  const int fd = ok(socket(AF_INET, SOCK_STREAM, 0), "socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ok(bind(fd, (struct sockaddr*)&address, sizeof address), "bind");
  ok(listen(fd, 1024), "listen");
  return fd;
}

static void send_all(int fd, const char* data, size_t length) {
  while (length != 0) {
    const ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
    if (sent < 0) die("peer send");
    data += sent;
    length -= (size_t)sent;
  }
}

static void read_exactly(int fd, size_t length) {
  static char waste[65536];
  while (length != 0) {
    const ssize_t got = recv(fd, waste, length < sizeof waste ? length : sizeof waste, 0);
    if (got <= 0) die("peer recv");
    length -= (size_t)got;
  }
}

// ---- the peer: one line, one order, one answer ----

static void be_peer(void) {
  static int fds[MOST];
  static char data[1 << 20];
  int opened = 0;
  FILE* orders = fdopen(to_peer[0], "r");
  char line[128];
  if (!is_server) listener = make_listener();
  ok((int)write(from_peer[1], "+", 1), "ready");
  while (fgets(line, sizeof line, orders) != NULL) {
    char order[16];
    int which = 0, amount = 0, times = 1;
    sscanf(line, "%15s %d %d %d", order, &which, &amount, &times);
    const int fd = fds[which];
    if (strcmp(order, "open") == 0) {
      if (is_server) {
        fds[opened] = ok(socket(AF_INET, SOCK_STREAM, 0), "peer socket");
        ok(connect(fds[opened], (struct sockaddr*)&address, sizeof address), "peer connect");
      } else {
        fds[opened] = ok(accept(listener, NULL, NULL), "peer accept");
      }
      const int on = 1;
      setsockopt(fds[opened], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      opened++;
    } else if (strcmp(order, "send") == 0) {
      for (int i = 0; i < times; i++) send_all(fd, data, (size_t)amount);
    } else if (strcmp(order, "read") == 0) {
      read_exactly(fd, (size_t)amount);
    } else if (strcmp(order, "shut") == 0) {
      ok(shutdown(fd, SHUT_WR), "peer shutdown");
    } else if (strcmp(order, "reset") == 0) {
      const struct linger abort = {1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
      close(fd);
    } else if (strcmp(order, "close") == 0) {
      close(fd);
    }
    ok((int)write(from_peer[1], "+", 1), "answer");
  }
  _exit(0);
}

static void await_peer(void) {
  char answer;
  if (read(from_peer[0], &answer, 1) != 1) die("the peer is gone");
}

static void order(const char* format, ...) {
  char line[128];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  line[length] = '\n';
  ok((int)write(to_peer[1], line, (size_t)length + 1), "order");
}

#define PEER(...) (order(__VA_ARGS__), await_peer(), nap(15))

// ---- the subject's tools ----

static const char* names(uint32_t events, char* text) {
  static const struct {
    uint32_t bit;
    const char* name;
  } all[] = {{POLLIN, "IN"},       {POLLPRI, "PRI"}, {POLLOUT, "OUT"},
             {POLLERR, "ERR"},     {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"},
             {POLLRDHUP, "RDHUP"}, {EPOLLET, "ET"},  {EPOLLONESHOT, "ONESHOT"}};
  text[0] = 0;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if ((events & all[i].bit) == 0) continue;
    if (text[0] != 0) strcat(text, "|");
    strcat(text, all[i].name);
    events &= ~all[i].bit;
  }
  if (events != 0) sprintf(text + strlen(text), "|%x", events);
  return text;
}

static int by_data(const void* left, const void* right) {
  const uint64_t a = ((const struct epoll_event*)left)->data.u64;
  const uint64_t b = ((const struct epoll_event*)right)->data.u64;
  return (a > b) - (a < b);
}

static int wait_for(int ep, int timeout, int most, const char* label) {
  struct epoll_event events[64];
  const int count = epoll_wait(ep, events, most, timeout);
  printf("%s:", label);
  if (count < 0) printf(" %s", strerrorname_np(errno));
  if (count == 0) printf(" nothing");
  if (count > 0) qsort(events, (size_t)count, sizeof *events, by_data);
  for (int i = 0; i < count; i++) {
    char text[128];
    printf(" %d=%s", (int)events[i].data.u64, names(events[i].events, text));
  }
  printf("\n");
  return count;
}

static int look(int ep, const char* label) { return wait_for(ep, 100, 64, label); }

static void control(int ep, int operation, int fd, uint32_t wanted, int tag) {
  struct epoll_event event = {.events = wanted, .data.u64 = (uint64_t)tag};
  if (epoll_ctl(ep, operation, fd, &event) != 0)
    printf("epoll_ctl %d on %d: %s\n", operation, tag, strerrorname_np(errno));
}

static void add(int ep, int fd, uint32_t wanted, int tag) {
  control(ep, EPOLL_CTL_ADD, fd, wanted, tag);
}
static void modify(int ep, int fd, uint32_t wanted, int tag) {
  control(ep, EPOLL_CTL_MOD, fd, wanted, tag);
}

static void poll_one(int fd, short wanted, int timeout, const char* label) {
  struct pollfd one = {fd, wanted, 0};
  char text[128];
  const int count = poll(&one, 1, timeout);
  printf("%s: %d %s\n", label, count, names((uint16_t)one.revents, text));
}

static void select_one(int fd, int timeout, const char* label) {
  fd_set in, out, except;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&except);
  FD_SET(fd, &in);
  FD_SET(fd, &out);
  FD_SET(fd, &except);
  struct timeval time = {timeout / 1000, timeout % 1000 * 1000};
  const int count = select(fd + 1, &in, &out, &except, &time);
  printf("%s: %d%s%s%s\n", label, count, FD_ISSET(fd, &in) ? " in" : "",
         FD_ISSET(fd, &out) ? " out" : "", FD_ISSET(fd, &except) ? " except" : "");
}

static void take(int fd, size_t amount, const char* label) {
  static char buffer[1 << 20];
  const ssize_t got = recv(fd, buffer, amount, 0);
  if (got < 0) {
    printf("%s: %s\n", label, strerrorname_np(errno));
  } else {
    printf("%s: %zd\n", label, got);
  }
}

static size_t take_all(int fd) {
  static char buffer[65536];
  size_t total = 0;
  ssize_t got;
  while ((got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) total += (size_t)got;
  return total;
}

static int connect_now(int nonblocking) {
  const int fd = ok(socket(AF_INET, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0), 0), "socket");
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0 && errno != EINPROGRESS)
    die("connect");
  return fd;
}

// A connection with nothing under way in it: both ends have sent and read.
static int open_one(int which) {
  int fd;
  order("open");
  if (is_server) {
    fd = ok(accept(listener, NULL, NULL), "accept");
    order("send %d 1", which);
    order("read %d 1", which);
    char byte;
    if (recv(fd, &byte, 1, 0) != 1) die("first byte");
    send_all(fd, "x", 1);
  } else {
    order("read %d 1", which);
    order("send %d 1", which);
    fd = connect_now(0);
    send_all(fd, "x", 1);
    char byte;
    if (recv(fd, &byte, 1, 0) != 1) die("first byte");
  }
  for (int i = 0; i < 3; i++) await_peer();
  return fd;
}

// Runs out of room in the socket. Returns what was taken.
static size_t fill(int fd) {
  static char data[65536];
  size_t total = 0;
  set_nonblocking(fd, 1);
  // The peer's kernel takes more as its buffer grows.
  for (int full = 0; full < 10;) {
    const ssize_t sent = send(fd, data, sizeof data, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die("send");
    if (sent > 0) total += (size_t)sent;
    if (sent < 0) nap(2);
    full = sent < 0 ? full + 1 : 0;
  }
  return total;
}

// Nothing must happen, and nobody work, for a while.
static void calm(int ep, const char* label) {
  struct epoll_event event;
  const double before = now(CLOCK_PROCESS_CPUTIME_ID);
  const int count = epoll_wait(ep, &event, 1, 400);
  const double spent = now(CLOCK_PROCESS_CPUTIME_ID) - before;
  printf("%s: %d events, %s\n", label, count, spent < 0.1 ? "asleep" : "busy");
}

// ---- level-triggered ----

static void level_poll(void) {
  const int fd = open_one(0);
  poll_one(fd, POLLIN | POLLOUT, 0, "before");
  PEER("send 0 100");
  poll_one(fd, POLLIN, -1, "arrived");
  poll_one(fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, -1, "all");
  take(fd, 40, "take");
  poll_one(fd, POLLIN, -1, "rest");
  poll_one(fd, POLLOUT, -1, "out only");
  take(fd, 60, "take");
  poll_one(fd, POLLIN, 30, "none left");
  PEER("send 0 50 3");
  for (int i = 0; i < 3; i++) {
    poll_one(fd, POLLIN, -1, "one of three");
    take(fd, 50, "take");
  }
  poll_one(fd, POLLIN, 0, "none left");
  PEER("send 0 60000");
  for (int i = 0; i < 60; i++) {
    struct pollfd one = {fd, POLLIN, 0};
    if (poll(&one, 1, 0) != 1) printf("not readable at %d\n", i);
    take(fd, 1000, "take");
  }
  poll_one(fd, POLLIN, 0, "none left");
}

static void level_select(void) {
  const int fd = open_one(0);
  select_one(fd, 0, "before");
  PEER("send 0 100");
  select_one(fd, 1000, "arrived");
  take(fd, 40, "take");
  select_one(fd, 1000, "rest");
  take(fd, 60, "take");
  select_one(fd, 0, "none left");
  PEER("send 0 50 2");
  take(fd, 50, "take");
  select_one(fd, 0, "second");
  take(fd, 50, "take");
  select_one(fd, 0, "none left");
  PEER("shut 0");
  select_one(fd, 0, "shut");
  take(fd, 10, "end");
  select_one(fd, 0, "again");
}

static void level_epoll(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN, 1);
  look(ep, "before");
  PEER("send 0 100");
  look(ep, "arrived");
  look(ep, "again");
  take(fd, 40, "take");
  look(ep, "rest");
  take(fd, 60, "take");
  look(ep, "none left");
  PEER("send 0 50 3");
  for (int i = 0; i < 3; i++) {
    look(ep, "one of three");
    take(fd, 50, "take");
  }
  look(ep, "none left");
  PEER("send 0 60000");
  for (int i = 0; i < 6; i++) {
    look(ep, "large");
    take(fd, 10000, "take");
  }
  look(ep, "none left");
  modify(ep, fd, EPOLLIN | EPOLLOUT, 2);
  look(ep, "out");
  PEER("send 0 10");
  look(ep, "in and out");
  take(fd, 5, "take");
  look(ep, "in and out");
  take(fd, 5, "take");
  look(ep, "out");
  calm(epoll_create1(0), "an empty set");
}

// ---- edge-triggered ----

static void edges(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, 1);
  look(ep, "at first");
  look(ep, "no more");
  PEER("send 0 100");
  look(ep, "data");
  look(ep, "no more");
  PEER("send 0 100");
  look(ep, "more data while some is unread");
  take(fd, 30, "take");
  look(ep, "reading is no edge");
  modify(ep, fd, EPOLLIN | EPOLLOUT | EPOLLET, 2);
  look(ep, "modified");
  look(ep, "no more");
  modify(ep, fd, EPOLLIN | EPOLLET, 3);
  look(ep, "modified");
  printf("all: %zu\n", take_all(fd));
  modify(ep, fd, EPOLLIN | EPOLLOUT | EPOLLET, 4);
  look(ep, "modified");
  look(ep, "no more");
  PEER("send 0 10");
  look(ep, "data");
  take(fd, 10, "take");
  PEER("send 0 40000");
  look(ep, "data");
  take(fd, 1000, "take");
  look(ep, "reading is no edge");
  printf("all: %zu\n", take_all(fd));
  PEER("shut 0");
  look(ep, "shut");
  look(ep, "no more");
  take(fd, 10, "end");
}

static void edge_of_room(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
  look(ep, "at first");
  for (int i = 0; i < 3; i++) {
    struct epoll_event event;
    size_t sent = 0;
    do {
      sent += fill(fd);
    } while (epoll_wait(ep, &event, 1, 100) == 1);
    order("read 0 %zu", sent);
    wait_for(ep, 2000, 64, "room");
    poll_one(fd, POLLOUT, 2000, "room");
    await_peer();
    nap(20);
    while (epoll_wait(ep, &event, 1, 0) == 1) continue;
  }
}

static void level_of_room(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN | EPOLLOUT, 1);
  look(ep, "at first");
  const size_t sent = fill(fd);
  look(ep, "full");
  poll_one(fd, POLLOUT, 0, "full");
  select_one(fd, 0, "full");
  order("read 0 %zu", sent);
  wait_for(ep, 2000, 64, "room");
  await_peer();
  look(ep, "room");
}

// Sealed bytes that wait must leave although the program asks for input only.
static void leftover_leaves(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN, 1);
  const size_t sent = fill(fd);
  calm(ep, "full");
  order("read 0 %zu", sent);
  order("send 0 5");
  wait_for(ep, 3000, 64, "answer");
  await_peer();
  await_peer();
  take(fd, 5, "take");
  calm(ep, "done");
  const size_t again = fill(fd);
  order("read 0 %zu", again);
  order("send 0 5");
  poll_one(fd, POLLIN, 3000, "answer");
  await_peer();
  await_peer();
}

// ---- one-shot, exclusive ----

static void one_shot(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN | EPOLLONESHOT, 1);
  look(ep, "before");
  PEER("send 0 100");
  look(ep, "data");
  PEER("send 0 100");
  look(ep, "fired");
  take(fd, 30, "take");
  look(ep, "fired");
  modify(ep, fd, EPOLLIN | EPOLLONESHOT, 2);
  look(ep, "armed anew");
  look(ep, "fired");
  modify(ep, fd, EPOLLIN | EPOLLOUT | EPOLLONESHOT, 3);
  look(ep, "armed anew");
  look(ep, "fired");
  printf("all: %zu\n", take_all(fd));
  modify(ep, fd, EPOLLIN | EPOLLONESHOT, 4);
  look(ep, "armed anew");
  PEER("send 0 10");
  look(ep, "data");
  modify(ep, fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 5);
  look(ep, "armed anew");
  look(ep, "fired");
  take(fd, 10, "take");
  modify(ep, fd, EPOLLIN | EPOLLET, 6);
  look(ep, "no one-shot");
  PEER("send 0 10");
  look(ep, "data");
  PEER("shut 0");
  look(ep, "shut");
}

static void exclusive(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  const int other = epoll_create1(0);
  add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE, 1);
  add(other, fd, EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE, 2);
  add(other, fd, EPOLLIN | EPOLLRDHUP | EPOLLEXCLUSIVE, 3);
  add(other, fd, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLEXCLUSIVE, 4);
  modify(ep, fd, EPOLLIN, 5);
  modify(ep, fd, EPOLLIN | EPOLLEXCLUSIVE, 6);
  PEER("send 0 10");
  look(ep, "one");
  look(other, "other");
  take(fd, 3, "take");
  look(ep, "one");
  take(fd, 7, "take");
  look(ep, "one");
  ok(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), "DEL");
  look(ep, "none");
}

static void listening(void) {
  if (!is_server) {
    printf("a client does not listen\n");
    return;
  }
  const int ep = epoll_create1(0);
  set_nonblocking(listener, 1);
  add(ep, listener, EPOLLIN | EPOLLEXCLUSIVE, 1);
  look(ep, "before");
  order("open");
  look(ep, "knock");
  poll_one(listener, POLLIN | POLLOUT, 1000, "knock");
  const int fd = ok(accept4(listener, NULL, NULL, SOCK_NONBLOCK), "accept");
  add(ep, fd, EPOLLIN, 2);
  look(ep, "silence");
  order("send 0 10");
  look(ep, "data");
  await_peer();
  await_peer();
  take(fd, 10, "take");
  look(ep, "nothing");
}

// ---- registrations ----

static void modifying(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, 0, 1);
  PEER("send 0 10");
  look(ep, "asked for nothing");
  modify(ep, fd, EPOLLIN, 2);
  look(ep, "asked for input");
  modify(ep, fd, EPOLLOUT, 3);
  look(ep, "asked for output");
  take(fd, 5, "take");
  modify(ep, fd, 0, 4);
  look(ep, "asked for nothing");
  modify(ep, fd, EPOLLIN | EPOLLRDHUP | EPOLLPRI, 5);
  look(ep, "asked for input");
  ok(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), "DEL");
  look(ep, "removed");
  add(ep, fd, EPOLLIN | EPOLLET, 6);
  look(ep, "added anew");
  ok(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), "DEL");
  take(fd, 2, "take");
  add(ep, fd, EPOLLIN | EPOLLONESHOT, 7);
  look(ep, "added anew");
}

static void refusals(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  const int closed = dup(fd);
  close(closed);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
  add(ep, fd, EPOLLIN, 1);
  add(ep, fd, EPOLLIN, 2);
  modify(ep, closed, EPOLLIN, 3);
  add(ep, closed, EPOLLIN, 4);
  add(closed, fd, EPOLLIN, 5);
  add(fd, fd, EPOLLIN, 6);
  add(ep, ep, EPOLLIN, 7);
  control(ep, 99, fd, EPOLLIN, 8);
  ok(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), "DEL");
  control(ep, EPOLL_CTL_DEL, fd, EPOLLIN, 9);
  modify(ep, fd, EPOLLIN, 10);
  printf("NULL: %d %s\n", epoll_ctl(ep, EPOLL_CTL_ADD, fd, NULL), strerrorname_np(errno));
  add(ep, fd, EPOLLIN, 11);
  printf("0: %d %s\n", epoll_wait(ep, &event, 0, 0), strerrorname_np(errno));
  printf("-1: %d %s\n", epoll_wait(ep, &event, -1, 0), strerrorname_np(errno));
  printf("no set: %d %s\n", epoll_wait(fd, &event, 1, 0), strerrorname_np(errno));
  printf("closed: %d %s\n", epoll_wait(closed, &event, 1, 0), strerrorname_np(errno));
  PEER("send 0 1");
  look(ep, "still good");
}

static void several_sets(void) {
  const int fd = open_one(0);
  const int level = epoll_create1(0), edge = epoll_create1(0), once = epoll_create1(0);
  add(level, fd, EPOLLIN, 1);
  add(edge, fd, EPOLLIN | EPOLLET, 2);
  add(once, fd, EPOLLIN | EPOLLONESHOT, 3);
  PEER("send 0 100");
  poll_one(fd, POLLIN, 0, "poll first");
  look(edge, "edge");
  look(level, "level");
  look(once, "once");
  take(fd, 50, "take");
  look(edge, "edge");
  look(level, "level");
  look(once, "once");
  modify(once, fd, EPOLLIN | EPOLLONESHOT, 4);
  look(once, "once");
  PEER("send 0 100");
  look(level, "level");
  look(edge, "edge");
  printf("all: %zu\n", take_all(fd));
  look(level, "level");
  look(edge, "edge");
  PEER("send 0 10");
  select_one(fd, 0, "select first");
  look(edge, "edge");
  look(level, "level");
}

static void duplicates(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  const int other = dup(fd);
  add(ep, fd, EPOLLIN, 1);
  add(ep, other, EPOLLIN | EPOLLET, 2);
  PEER("send 0 10");
  look(ep, "both");
  take(fd, 5, "take");
  look(ep, "level only");
  PEER("send 0 10");
  look(ep, "both");
  close(fd);
  look(ep, "the file lives");
  take(other, 15, "take");
  look(ep, "none");
  PEER("send 0 10");
  look(ep, "both");
  take(other, 5, "take");
  look(ep, "level only");
  close(other);
  look(ep, "gone");
}

static void number_reused(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  const int keep = dup(fd);
  add(ep, fd, EPOLLIN, 1);
  close(fd);
  const int fresh = open_one(1);
  printf("the same number: %d\n", fresh == fd);
  add(ep, fresh, EPOLLIN | EPOLLONESHOT, 2);
  look(ep, "none");
  PEER("send 0 10");
  look(ep, "the old one");
  PEER("send 1 10");
  look(ep, "both");
  take(keep, 10, "take");
  take(fresh, 5, "take");
  look(ep, "none");
  modify(ep, fresh, EPOLLIN | EPOLLONESHOT, 3);
  look(ep, "the new one");
  PEER("send 0 10");
  look(ep, "the old one");
  close(keep);
  look(ep, "none");
  close(fresh);
  const int third = open_one(2);
  add(ep, third, EPOLLIN, 4);
  PEER("send 2 10");
  look(ep, "the third");
}

static void set_closed(void) {
  const int fd = open_one(0);
  const int first = epoll_create1(0);
  add(first, fd, EPOLLIN, 1);
  PEER("send 0 10");
  look(first, "first");
  close(first);
  const int second = epoll_create1(0);
  printf("the same number: %d\n", first == second);
  look(second, "second");
  add(second, fd, EPOLLIN, 2);
  look(second, "second");
  take(fd, 5, "take");
  look(second, "second");
  const int twin = dup(second);
  close(second);
  look(twin, "twin");
  modify(twin, fd, EPOLLIN | EPOLLONESHOT, 3);
  look(twin, "twin");
  look(twin, "twin");
  const int third = epoll_create1(0);
  modify(twin, fd, EPOLLIN | EPOLLET, 4);
  look(third, "third");
  look(twin, "twin");
}

static void set_duplicated_early(void) {
  const int ep = epoll_create(1);
  const int twin = dup(ep);
  const int fd = open_one(0);
  add(twin, fd, EPOLLIN, 1);
  PEER("send 0 10");
  look(ep, "one");
  look(twin, "other");
  take(fd, 5, "take");
  close(ep);
  look(twin, "other");
}

static void nested(void) {
  const int fd = open_one(0);
  const int inner = epoll_create1(0), outer = epoll_create1(0), outermost = epoll_create1(0);
  add(outermost, outer, EPOLLIN, 8);
  add(outer, inner, EPOLLIN, 9);
  add(inner, fd, EPOLLIN, 1);
  look(outer, "outer, nothing");
  PEER("send 0 100");
  look(outermost, "outermost");
  look(outer, "outer");
  poll_one(inner, POLLIN, 0, "poll of inner");
  look(inner, "inner");
  look(outer, "outer");
  take(fd, 40, "take");
  look(outermost, "outermost");
  look(outer, "outer");
  poll_one(inner, POLLIN, 0, "poll of inner");
  select_one(outer, 0, "select of outer");
  look(inner, "inner");
  take(fd, 60, "take");
  wait_for(inner, 0, 64, "inner");
  look(outer, "outer");
  poll_one(inner, POLLIN, 0, "poll of inner");
  PEER("send 0 10");
  look(outer, "outer");
  look(inner, "inner");
  take(fd, 5, "take");
  const int late = epoll_create1(0);
  add(late, inner, EPOLLIN | EPOLLET, 7);
  look(late, "late");
  look(late, "late");
  modify(inner, fd, EPOLLIN | EPOLLET, 2);
  look(late, "late");
  look(inner, "inner");
  look(inner, "inner");
}

static void inner_polled(void) {
  const int fd = open_one(0);
  const int inner = epoll_create1(0);
  add(inner, fd, EPOLLIN, 1);
  poll_one(inner, POLLIN, 30, "nothing");
  PEER("send 0 100");
  poll_one(inner, POLLIN, 1000, "data");
  look(inner, "inner");
  take(fd, 40, "take");
  poll_one(inner, POLLIN, 1000, "rest");
  select_one(inner, 1000, "rest");
  look(inner, "inner");
  take(fd, 60, "take");
  poll_one(inner, POLLIN, 30, "nothing");
  select_one(inner, 30, "nothing");
}

static void few_at_a_time(void) {
  const int ep = epoll_create1(0);
  for (int i = 0; i < 4; i++) {
    const int fd = open_one(i);
    add(ep, fd, EPOLLIN, i + 1);
    PEER("send %d 100", i);
    take(fd, 1, "take");
  }
  // Everybody's turn comes, whether his data was read ahead or not.
  int seen = 0;
  for (int i = 0; i < 12; i++) {
    struct epoll_event event;
    if (epoll_wait(ep, &event, 1, 0) == 1) seen |= 1 << event.data.u64;
    if (i == 3) PEER("send 3 100");
  }
  printf("seen: %x\n", seen);
}

// ---- connecting, accepting ----

static void finish_connect(int fd, const char* label) {
  int error = -1;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  printf("%s: %s\n", label, error == 0 ? "connected" : strerrorname_np(error));
}

static void connecting(void) {
  if (is_server) {
    printf("a server does not connect\n");
    return;
  }
  for (int i = 0; i < 4; i++) {
    order("open");
    order("send %d 10", i);
    const int fd = connect_now(1);
    const int ep = epoll_create1(0);
    if (i == 0) poll_one(fd, POLLOUT, 5000, "poll");
    if (i == 1) {
      fd_set out;
      FD_ZERO(&out);
      FD_SET(fd, &out);
      printf("select: %d\n", select(fd + 1, NULL, &out, NULL, NULL));
    }
    if (i == 2) {
      add(ep, fd, EPOLLOUT, 1);
      wait_for(ep, 5000, 64, "level");
    }
    if (i == 3) {
      add(ep, fd, EPOLLOUT | EPOLLET, 1);
      wait_for(ep, 5000, 64, "edge");
    }
    finish_connect(fd, "result");
    poll_one(fd, POLLIN, 5000, "data");
    take(fd, 10, "take");
    await_peer();
    await_peer();
  }
}

static void registered_before_connect(void) {
  if (is_server) {
    printf("a server does not connect\n");
    return;
  }
  for (int i = 0; i < 2; i++) {
    const int fd = ok(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    const int ep = epoll_create1(0);
    const uint32_t all = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLPRI;
    add(ep, fd, i == 0 ? all | EPOLLET : all, 1);
    look(ep, "not connected");
    order("open");
    order("send %d 10", i);
    printf("connect: %d %s\n", connect(fd, (struct sockaddr*)&address, sizeof address),
           strerrorname_np(errno));
    struct epoll_event event = {0};
    uint32_t seen = 0;
    size_t got = 0;
    while ((seen & EPOLLOUT) == 0) {
      if (epoll_wait(ep, &event, 1, 5000) != 1) die("no event");
      seen |= event.events;
    }
    while (got < 10) {
      nap(10);
      if (i == 1 && epoll_wait(ep, &event, 1, 5000) != 1) die("no event");
      if (i == 0 && epoll_wait(ep, &event, 1, 50) == 1) seen |= event.events;
      got += take_all(fd);
    }
    seen |= EPOLLIN;
    char text[128];
    printf("seen: %s\n", names(seen, text));
    finish_connect(fd, "result");
    await_peer();
    await_peer();
  }
}

static void refused(void) {
  for (int i = 0; i < 5; i++) {
    const int fd = ok(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    const int ep = epoll_create1(0);
    if (i >= 3) add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | (i == 3 ? 0 : EPOLLET), 1);
    if (i == 4) look(ep, "not connected");
    const int result = connect(fd, (struct sockaddr*)&refused_address, sizeof refused_address);
    printf("connect: %d %s\n", result, strerrorname_np(errno));
    nap(10);
    if (i == 0) poll_one(fd, POLLIN | POLLOUT | POLLRDHUP, 1000, "poll");
    if (i == 1) select_one(fd, 1000, "select");
    if (i == 2) add(ep, fd, EPOLLOUT, 1);
    if (i >= 2) look(ep, "epoll");
    finish_connect(fd, "result");
    finish_connect(fd, "result, taken");
    close(fd);
  }
}

// As nginx: everything is asked for at once, and edges only.
static void accepted_edges(void) {
  if (!is_server) {
    printf("a client does not accept\n");
    return;
  }
  const int ep = epoll_create1(0);
  for (int i = 0; i < 3; i++) {
    order("open");
    const int fd = ok(accept4(listener, NULL, NULL, SOCK_NONBLOCK), "accept");
    add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, i);
    const size_t amount = i == 0 ? 1000 : 100000;
    if (i == 2) nap(20);
    order("send %d %zu", i, amount);
    order("shut %d", i);
    size_t total = 0;
    int over = 0;
    uint32_t seen = 0;
    while (!over) {
      struct epoll_event events[8];
      const int count = epoll_wait(ep, events, 8, 5000);
      if (count <= 0) die("no event");
      for (int e = 0; e < count; e++) {
        seen |= events[e].events;
        char buffer[4096];
        ssize_t got;
        while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) total += (size_t)got;
        over |= got == 0;
      }
    }
    char text[128];
    // FIN may be read before an event told of it.
    printf("%zu bytes, seen %s\n", total, names(seen & ~(uint32_t)EPOLLRDHUP, text));
    for (int orders = 0; orders < 3; orders++) await_peer();
    close(fd);
  }
}

// ---- the end ----

static void amounts(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  int amount = -1;
  add(ep, fd, EPOLLIN | EPOLLET, 1);
  PEER("send 0 100");
  ioctl(fd, FIONREAD, &amount);
  printf("FIONREAD first: %d\n", amount);
  look(ep, "the edge is still there");
  take(fd, 40, "take");
  ioctl(fd, FIONREAD, &amount);
  printf("FIONREAD: %d\n", amount);
  look(ep, "no edge");
  poll_one(fd, POLLIN, 0, "poll");
  take(fd, 60, "take");
  ioctl(fd, FIONREAD, &amount);
  printf("FIONREAD: %d\n", amount);
  poll_one(fd, POLLIN, 0, "poll");
  PEER("send 0 10");
  char buffer[4];
  printf("peek: %zd\n", recv(fd, buffer, sizeof buffer, MSG_PEEK));
  look(ep, "the edge is still there");
}

static void half_closed(void) {
  const short wanted = POLLIN | POLLOUT | POLLRDHUP | POLLPRI;
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, (uint32_t)wanted, 1);
  PEER("send 0 10");
  PEER("shut 0");
  poll_one(fd, wanted, 1000, "data and end");
  poll_one(fd, POLLRDHUP, 1000, "end only");
  poll_one(fd, POLLIN, 1000, "in only");
  look(ep, "epoll");
  take(fd, 10, "take");
  poll_one(fd, wanted, 1000, "end");
  take(fd, 10, "take");
  poll_one(fd, wanted, 1000, "end");
  look(ep, "epoll");
  shutdown(fd, SHUT_WR);
  nap(20);
  poll_one(fd, wanted, 1000, "both ends");
  poll_one(fd, 0, 1000, "asked for nothing");
  look(ep, "epoll");
}

static void own_shutdown(void) {
  const short wanted = POLLIN | POLLOUT | POLLRDHUP;
  const int fd = open_one(0);
  shutdown(fd, SHUT_WR);
  poll_one(fd, wanted, 0, "after SHUT_WR");
  PEER("send 0 10");
  poll_one(fd, wanted, 1000, "data");
  take(fd, 10, "take");
  poll_one(fd, wanted, 0, "none");
  const int other = open_one(1);
  shutdown(other, SHUT_RD);
  poll_one(other, wanted, 0, "after SHUT_RD");
  take(other, 10, "take");
  const int third = open_one(2);
  shutdown(third, SHUT_RDWR);
  nap(20);
  poll_one(third, wanted, 0, "after SHUT_RDWR");
}

static void reset(void) {
  const short wanted = POLLIN | POLLOUT | POLLRDHUP;
  for (int i = 0; i < 4; i++) {
    const int fd = open_one(i);
    const int ep = epoll_create1(0);
    add(ep, fd, (uint32_t)wanted | (i == 2 ? EPOLLET : 0), 1);
    if (i == 2) look(ep, "before");
    PEER("reset %d", i);
    if (i == 0) poll_one(fd, wanted, 1000, "poll");
    if (i == 1) look(ep, "level");
    if (i == 2) look(ep, "edge");
    if (i == 3) select_one(fd, 1000, "select");
    take(fd, 10, "take");
    poll_one(fd, wanted, 1000, "poll");
  }
}

static void peer_closed(void) {
  const short wanted = POLLIN | POLLOUT | POLLRDHUP;
  const int fd = open_one(0);
  PEER("close 0");
  poll_one(fd, wanted, 1000, "closed");
  take(fd, 10, "take");
  const int other = open_one(1);
  PEER("send 1 10");
  PEER("close 1");
  poll_one(other, wanted, 1000, "closed with data");
  take(other, 10, "take");
  poll_one(other, wanted, 1000, "closed");
}

// ---- time, signals ----

static const char* judge(double began, int milliseconds) {
  const double took = (now(CLOCK_MONOTONIC) - began) * 1000;
  if (took < milliseconds - 1) return "too early";
  return took < milliseconds + 300 ? "in time" : "too late";
}

static void time_limits(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN, 1);
  static const int limits[] = {0, 60, 1};
  for (int i = 0; i < 3; i++) {
    const int limit = limits[i];
    struct pollfd one = {fd, POLLIN, 0};
    struct epoll_event event;
    fd_set in;
    double began = now(CLOCK_MONOTONIC);
    int count = poll(&one, 1, limit);
    printf("poll %d: %d %s\n", limit, count, judge(began, limit));
    struct timespec time = {0, limit * 1000000L};
    began = now(CLOCK_MONOTONIC);
    count = ppoll(&one, 1, &time, NULL);
    printf("ppoll %d: %d %s\n", limit, count, judge(began, limit));
    FD_ZERO(&in);
    FD_SET(fd, &in);
    began = now(CLOCK_MONOTONIC);
    count = pselect(fd + 1, &in, NULL, NULL, &time, NULL);
    printf("pselect %d: %d %d %s\n", limit, count, FD_ISSET(fd, &in), judge(began, limit));
    FD_SET(fd, &in);
    struct timeval left = {0, limit * 1000};
    began = now(CLOCK_MONOTONIC);
    count = select(fd + 1, &in, NULL, NULL, &left);
    printf("select %d: %d %s, left %ld\n", limit, count, judge(began, limit), (long)left.tv_usec);
    began = now(CLOCK_MONOTONIC);
    count = epoll_wait(ep, &event, 1, limit);
    printf("epoll_wait %d: %d %s\n", limit, count, judge(began, limit));
    began = now(CLOCK_MONOTONIC);
    count = epoll_pwait2(ep, &event, 1, &time, NULL);
    printf("epoll_pwait2 %d: %d %s\n", limit, count, judge(began, limit));
  }
  struct timespec bad = {0, 2000000000};
  struct pollfd one = {fd, POLLIN, 0};
  printf("ppoll: %d %s\n", ppoll(&one, 1, &bad, NULL), strerrorname_np(errno));
  struct timeval wrong = {-1, 0};
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fd, &in);
  printf("select: %d %s\n", select(fd + 1, &in, NULL, NULL, &wrong), strerrorname_np(errno));
  printf("select: %d %s\n", select(-1, &in, NULL, NULL, NULL), strerrorname_np(errno));
  PEER("send 0 10");
  struct timeval plenty = {5, 0};
  printf("select: %d", select(fd + 1, &in, NULL, NULL, &plenty));
  printf(", left %s\n", plenty.tv_sec >= 4 ? "plenty" : "little");
}

static atomic_int signals;
static void on_signal(int number) {
  (void)number;
  signals++;
}

static void interrupted(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  add(ep, fd, EPOLLIN, 1);
  struct pollfd one = {fd, POLLIN, 0};
  struct epoll_event event;
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fd, &in);
  raise(SIGUSR1);
  printf("poll, blocked: %d, %d signals\n", poll(&one, 1, 10), signals);
  int result = ppoll(&one, 1, NULL, &none);
  printf("ppoll: %d %s, %d signals\n", result, strerrorname_np(errno), signals);
  raise(SIGUSR1);
  result = pselect(fd + 1, &in, NULL, NULL, NULL, &none);
  printf("pselect: %d %s, %d signals\n", result, strerrorname_np(errno), signals);
  raise(SIGUSR1);
  result = epoll_pwait(ep, &event, 1, -1, &none);
  printf("epoll_pwait: %d %s, %d signals\n", result, strerrorname_np(errno), signals);
  raise(SIGUSR1);
  result = epoll_pwait2(ep, &event, 1, NULL, &none);
  printf("epoll_pwait2: %d %s, %d signals\n", result, strerrorname_np(errno), signals);
  sigprocmask(SIG_UNBLOCK, &blocked, NULL);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  static const struct itimerval soon = {{0, 0}, {0, 50000}};
  setitimer(ITIMER_REAL, &soon, NULL);
  result = poll(&one, 1, -1);
  printf("poll: %d %s\n", result, strerrorname_np(errno));
  setitimer(ITIMER_REAL, &soon, NULL);
  result = epoll_wait(ep, &event, 1, -1);
  printf("epoll_wait: %d %s\n", result, strerrorname_np(errno));
  setitimer(ITIMER_REAL, &soon, NULL);
  FD_SET(fd, &in);
  result = select(fd + 1, &in, NULL, NULL, NULL);
  printf("select: %d %s\n", result, strerrorname_np(errno));
}

// ---- numbers ----

static void odd_numbers(void) {
  const int fd = open_one(0);
  const int closed = dup(fd);
  close(closed);
  PEER("send 0 10");
  struct pollfd fds[5] = {{-1, POLLIN, 0x7f},
                          {fd, POLLIN, 0x7f},
                          {-5, POLLIN, 0x7f},
                          {closed, POLLIN, 0},
                          {fd, POLLOUT, 0}};
  printf("poll: %d", poll(fds, 5, 1000));
  for (int i = 0; i < 5; i++) {
    char text[128];
    printf(" [%s]", names((uint16_t)fds[i].revents, text));
  }
  printf("\n");
  struct pollfd none[2] = {{-1, POLLIN, 0}, {-1, 0, 0}};
  printf("poll of nothing: %d\n", poll(none, 2, 20));
  fd_set in;
  FD_ZERO(&in);
  FD_SET(closed, &in);
  FD_SET(fd, &in);
  const int most = closed > fd ? closed : fd;
  printf("select: %d %s\n", select(most + 1, &in, NULL, NULL, NULL), strerrorname_np(errno));
  const int high = ok(fcntl(fd, F_DUPFD, 900), "F_DUPFD");
  FD_ZERO(&in);
  FD_SET(high, &in);
  FD_SET(fd, &in);
  printf("select of %d: %d", high, select(high + 1, &in, NULL, NULL, NULL));
  printf(" %d %d\n", FD_ISSET(high, &in) != 0, FD_ISSET(fd, &in) != 0);
  // Larger sets than FD_SETSIZE, as some programs make them.
  const int higher = ok(fcntl(fd, F_DUPFD, 3000), "F_DUPFD");
  unsigned long* bits = calloc(64, sizeof *bits);
  bits[higher / 64] |= 1ul << higher % 64;
  printf("select of %d: %d", higher, select(higher + 1, (fd_set*)bits, NULL, NULL, NULL));
  printf(" %d\n", (bits[higher / 64] >> higher % 64 & 1) != 0);
  take(fd, 10, "take");
  struct timeval soon = {0, 20000};
  printf("select of %d: %d", higher, select(higher + 1, (fd_set*)bits, NULL, NULL, &soon));
  printf(" %d\n", (bits[higher / 64] >> higher % 64 & 1) != 0);
  free(bits);
}

static void thousands(void) {
  enum { connections = 100, copies = 50, all = connections * copies };
  static struct pollfd fds[all];
  const int ep = epoll_create1(0);
  for (int i = 0; i < connections; i++) {
    const int fd = open_one(i);
    for (int c = 0; c < copies; c++) {
      const int number = c == 0 ? fd : ok(dup(fd), "dup");
      fds[i * copies + c] = (struct pollfd){number, POLLIN, 0};
      add(ep, number, EPOLLIN, i * copies + c);
    }
  }
  for (int round = 0; round < 2; round++) {
    PEER("send 7 10");
    PEER("send 93 10");
    printf("poll: %d\n", poll(fds, all, 1000));
    int right = 0;
    for (int i = 0; i < all; i++) {
      const int wanted = i / copies == 7 || i / copies == 93;
      right += (fds[i].revents == POLLIN) == wanted;
    }
    printf("right: %d\n", right);
    static struct epoll_event events[all];
    printf("epoll: %d\n", epoll_wait(ep, events, all, 1000));
    take(fds[7 * copies].fd, 10, "take");
    take(fds[94 * copies - 1].fd, 5, "take");
    printf("poll: %d\n", poll(fds, all, 1000));
    printf("epoll: %d\n", epoll_wait(ep, events, all, 1000));
    take(fds[93 * copies].fd, 5, "take");
    printf("poll: %d\n", poll(fds, all, 0));
    printf("epoll: %d\n", epoll_wait(ep, events, all, 0));
  }
}

// ---- threads, processes ----

static int shared_fd, shared_set;

static void* sleep_in_epoll(void* unused) {
  (void)unused;
  wait_for(shared_set, 3000, 64, "sleeper");
  return NULL;
}

static void* read_ten(void* unused) {
  (void)unused;
  char buffer[10];
  if (recv(shared_fd, buffer, sizeof buffer, 0) != 10) printf("not ten\n");
  return NULL;
}

// One sleeps, another reads a part of what comes: the sleeper sees the rest.
static void sleepers(void) {
  shared_fd = open_one(0);
  shared_set = epoll_create1(0);
  add(shared_set, shared_fd, EPOLLIN, 1);
  for (int i = 0; i < 5; i++) {
    pthread_t sleeper, reader;
    pthread_create(&sleeper, NULL, sleep_in_epoll, NULL);
    pthread_create(&reader, NULL, read_ten, NULL);
    nap(20);
    PEER("send 0 100");
    pthread_join(reader, NULL);
    pthread_join(sleeper, NULL);
    printf("rest: %zu\n", take_all(shared_fd));
  }
}

static void added_meanwhile(void) {
  const int fd = open_one(0);
  for (int i = 0; i < 6; i++) {
    shared_set = epoll_create1(0);
    pthread_t sleeper;
    PEER("send 0 10");
    take(fd, 5, "take");
    if (i % 2 == 1) add(shared_set, fd, 0, 0);
    pthread_create(&sleeper, NULL, sleep_in_epoll, NULL);
    nap(20);
    control(shared_set, i % 2 == 1 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
            EPOLLIN | (i / 2 == 1 ? EPOLLET : 0u) | (i / 2 == 2 ? EPOLLONESHOT : 0u), 1);
    pthread_join(sleeper, NULL);
    take(fd, 5, "take");
    close(shared_set);
  }
}

enum { crowd = 20, messages = 50 };
static int crowd_fds[crowd];
static atomic_int taken, together;

static void* serve_one_shots(void* unused) {
  (void)unused;
  static atomic_int busy[crowd];
  char buffer[16];
  while (taken < crowd * messages * 8) {
    struct epoll_event events[4];
    const int count = epoll_wait(shared_set, events, 4, 20);
    for (int i = 0; i < count; i++) {
      const int which = (int)events[i].data.u64;
      if (atomic_exchange(&busy[which], 1) != 0) together++;
      const ssize_t got = recv(crowd_fds[which], buffer, sizeof buffer, MSG_DONTWAIT);
      if (got > 0) taken += (int)got;
      atomic_store(&busy[which], 0);
      struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = (uint64_t)which};
      epoll_ctl(shared_set, EPOLL_CTL_MOD, crowd_fds[which], &event);
    }
  }
  return NULL;
}

static void shared_one_shots(void) {
  shared_set = epoll_create1(0);
  pthread_t threads[4];
  for (int i = 0; i < crowd; i++) {
    crowd_fds[i] = open_one(i);
    add(shared_set, crowd_fds[i], EPOLLIN | EPOLLONESHOT, i);
  }
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, serve_one_shots, NULL);
  for (int m = 0; m < messages; m++) {
    for (int i = 0; i < crowd; i++) {
      order("send %d 8", i);
      await_peer();
    }
  }
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  printf("taken %d, %d at the same time\n", taken, together);
}

static void* open_and_add(void* unused) {
  (void)unused;
  for (int i = 0; i < crowd; i++) {
    crowd_fds[i] = open_one(i);
    add(shared_set, crowd_fds[i], EPOLLIN, i);
    order("send %d 8", i);
    await_peer();
  }
  return NULL;
}

// A set is made use of while somebody sleeps in it that never saw a member.
static void filled_meanwhile(void) {
  shared_set = epoll_create1(0);
  pthread_t opener;
  pthread_create(&opener, NULL, open_and_add, NULL);
  int total = 0, wrong = 0;
  while (total < crowd * 8) {
    struct epoll_event events[4];
    const int count = epoll_wait(shared_set, events, 4, 5000);
    if (count <= 0) break;
    for (int i = 0; i < count; i++) {
      char buffer[64];
      if (events[i].data.u64 >= crowd) {
        wrong++;
        continue;
      }
      const ssize_t got = recv(crowd_fds[events[i].data.u64], buffer, 3, MSG_DONTWAIT);
      if (got > 0) total += (int)got;
    }
  }
  pthread_join(opener, NULL);
  printf("total %d, wrong %d\n", total, wrong);
}

static atomic_int stop;
static void* churn(void* unused) {
  (void)unused;
  while (!stop) {
    const int copy = dup(shared_fd);
    const int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u64 = 77};
    epoll_ctl(shared_set, EPOLL_CTL_ADD, copy, &event);
    epoll_ctl(set, EPOLL_CTL_ADD, copy, &event);
    epoll_wait(set, &event, 1, 0);
    epoll_ctl(shared_set, EPOLL_CTL_DEL, copy, &event);
    if (rand() % 2)
      close(set), close(copy);
    else
      close(copy), close(set);
  }
  return NULL;
}

// Registrations come and go while others wait in the set.
static void churned(void) {
  shared_fd = open_one(0);
  shared_set = epoll_create1(0);
  pthread_t threads[3];
  add(shared_set, shared_fd, EPOLLIN, 1);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, churn, NULL);
  int wrong = 0;
  for (int i = 0; i < 300; i++) {
    order("send 0 8");
    await_peer();
    int seen = 0;
    const double until = now(CLOCK_MONOTONIC) + 2;
    while (!seen && now(CLOCK_MONOTONIC) < until) {
      struct epoll_event events[8];
      const int count = epoll_wait(shared_set, events, 8, 1000);
      if (count < 0) printf("%s\n", strerrorname_np(errno));
      for (int e = 0; e < count; e++) {
        if (events[e].data.u64 == 1)
          seen = 1;
        else if (events[e].data.u64 != 77)
          wrong++;
      }
    }
    if (!seen) printf("lost at %d\n", i);
    read_exactly(shared_fd, 8);
  }
  stop = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("wrong: %d\n", wrong);
}

static void over_fork(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN, 1);
  PEER("send 0 10");
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    look(ep, "child");
    poll_one(fd, POLLIN, 0, "child");
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  look(ep, "parent");
  take(fd, 10, "take");
  look(ep, "parent");
}

static void idle(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN, 1);
  calm(ep, "level");
  modify(ep, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
  look(ep, "at first");
  calm(ep, "edge");
  PEER("send 0 100");
  look(ep, "data");
  take(fd, 10, "take");
  calm(ep, "unread");
  printf("all: %zu\n", take_all(fd));
  calm(ep, "read");
}

// ---- a peer that is no program of ours: see test_readiness.py ----

static void* add_later(void* fd) {
  nap(200);
  add(shared_set, *(int*)fd, EPOLLIN, 1);
  return NULL;
}

// Sleeps for ever, in one way or another, until the peer has said something.
static void with_stranger(const char* way) {
  const int fd = ok(accept(listener, NULL, NULL), "accept");
  struct epoll_event event = {0};
  char text[128];
  uint32_t seen = 0;
  shared_set = epoll_create1(0);
  printf("accepted\n");
  fflush(stdout);
  if (strcmp(way, "poll") == 0) {
    struct pollfd one = {fd, POLLIN, 0};
    poll(&one, 1, -1);
    seen = (uint16_t)one.revents;
  } else if (strcmp(way, "select") == 0) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    seen = select(fd + 1, &in, NULL, NULL, NULL) == 1 ? POLLIN : 0;
  } else if (strcmp(way, "inner") == 0) {
    struct pollfd one = {shared_set, POLLIN, 0};
    add(shared_set, fd, EPOLLIN, 1);
    // The outer one may see what is nothing: bytes of a handshake. It does not spin.
    while (epoll_wait(shared_set, &event, 1, 0) != 1) poll(&one, 1, -1);
    seen = event.events;
  } else if (strcmp(way, "nested") == 0) {
    const int outer = epoll_create1(0);
    add(outer, shared_set, EPOLLIN, 1);
    add(shared_set, fd, EPOLLIN, 1);
    while (epoll_wait(shared_set, &event, 1, 0) != 1) epoll_wait(outer, &event, 1, -1);
    seen = event.events;
  } else {
    pthread_t thread;
    if (strcmp(way, "later") == 0) pthread_create(&thread, NULL, add_later, (void*)&fd);
    if (strcmp(way, "level") == 0) add(shared_set, fd, EPOLLIN, 1);
    if (strcmp(way, "edge") == 0) add(shared_set, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, 1);
    if (strcmp(way, "once") == 0) add(shared_set, fd, EPOLLIN | EPOLLONESHOT, 1);
    epoll_wait(shared_set, &event, 1, -1);
    seen = event.events;
  }
  printf("%s\n", names(seen, text));
  // A blocking read after readiness said yes must not block.
  take(fd, 100, "take");
}

#define CASE(name) \
  { #name, name }
static const struct {
  const char* name;
  void (*run)(void);
} cases[] = {CASE(level_poll),
             CASE(level_select),
             CASE(level_epoll),
             CASE(edges),
             CASE(edge_of_room),
             CASE(level_of_room),
             CASE(leftover_leaves),
             CASE(one_shot),
             CASE(exclusive),
             CASE(listening),
             CASE(modifying),
             CASE(refusals),
             CASE(several_sets),
             CASE(duplicates),
             CASE(number_reused),
             CASE(set_closed),
             CASE(set_duplicated_early),
             CASE(nested),
             CASE(inner_polled),
             CASE(few_at_a_time),
             CASE(connecting),
             CASE(registered_before_connect),
             CASE(refused),
             CASE(accepted_edges),
             CASE(amounts),
             CASE(half_closed),
             CASE(own_shutdown),
             CASE(reset),
             CASE(peer_closed),
             CASE(time_limits),
             CASE(interrupted),
             CASE(odd_numbers),
             CASE(thousands),
             CASE(sleepers),
             CASE(added_meanwhile),
             CASE(shared_one_shots),
             CASE(filled_meanwhile),
             CASE(churned),
             CASE(over_fork),
             CASE(idle)};

static void set_address(struct sockaddr_in* one, const char* port) {
  one->sin_family = AF_INET;
  one->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  one->sin_port = htons((uint16_t)atoi(port));
}

int main(int argc, char** argv) {
  const size_t count = sizeof cases / sizeof *cases;
  if (argc != 5) {
    for (size_t i = 0; i < count; i++) printf("%s\n", cases[i].name);
    return argc == 1 ? 0 : 2;
  }
  is_server = strcmp(argv[2], "server") == 0;
  set_address(&address, argv[3]);
  set_address(&refused_address, argv[4]);
  struct rlimit files = {0, 0};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  ok(pipe(to_peer), "pipe");
  ok(pipe(from_peer), "pipe");
  const pid_t peer = fork();
  if (peer == 0) {
    close(to_peer[1]);
    if (is_server) {
      char go;
      if (read(to_peer[0], &go, 1) != 1) _exit(0);
    }
    be_peer();
  }
  close(to_peer[0]);
  close(from_peer[1]);
  if (is_server) {
    listener = make_listener();
    ok((int)write(to_peer[1], "g", 1), "go");
  }
  await_peer();
  if (strncmp(argv[1], "stranger-", 9) == 0) with_stranger(argv[1] + 9);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(cases[i].name, argv[1]) == 0) cases[i].run();
  }
  fflush(stdout);
  close(to_peer[1]);
  waitpid(peer, NULL, 0);
  return 0;
}
