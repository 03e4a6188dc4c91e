// SO_RCVLOWAT: how much a blocking call waits for, and readiness.
#include <sys/epoll.h>
#include <sys/select.h>

#include "parity.h"

static char buffer[100000];

static void set_mark(int fd, int mark) {
  tell("set", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark));
}

static void say_mark(int fd) {
  int mark = -1;
  socklen_t length = sizeof mark;
  tell("get", getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &length));
  say("%d %u", mark, (unsigned)length);
}

// Writes so much each time that it has the turn, and ends.
static void feed(int fd, const int* portions) {
  for (; *portions != 0; ++portions) {
    write_exactly(fd, buffer, (size_t)*portions);
    nap(50);
    yield();
  }
  shutdown(fd, SHUT_WR);
  nap(50);
  yield();
}

static void low_water_is_told(int fd, bool subject) {
  if (!subject) return feed(fd, (int[]){5, 0});
  say_mark(fd);
  set_mark(fd, 100);
  say_mark(fd);
  set_mark(fd, 0);
  say_mark(fd);
  set_mark(fd, 20000);
  say_mark(fd);
  tell("short", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, buffer, 2));
  tell("null", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, NULL, 4));
  char byte = 0;
  socklen_t length = 1;
  tell("get a byte", getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &byte, &length));
  say("%d %u", byte, (unsigned)length);
  yield();
  hand_over();
}

static void low_water_blocks(int fd, bool subject) {
  if (!subject) {
    for (int round = 0; round < 3; ++round) {
      hand_over();
      // The subject sleeps by then: of who has taken some, the kernel loses the waking.
      for (int i = 0; i < 10; ++i) {
        nap(i == 0 ? 200 : 20);
        write_exactly(fd, buffer, 10);
      }
      await_turn();
    }
    write_exactly(fd, buffer, 30);
    shutdown(fd, SHUT_WR);
    return yield();
  }
  set_mark(fd, 100);
  tell("all", recv(fd, buffer, sizeof buffer, 0));
  yield();
  tell("less wanted", recv(fd, buffer, 45, 0) >= 45);
  tell("rest", (long)read_exactly(fd, buffer, 55));
  yield();
  tell("peek", recv(fd, buffer, sizeof buffer, MSG_PEEK));
  tell("read", read(fd, buffer, sizeof buffer));
  yield();
  tell("cut by the end", recv(fd, buffer, sizeof buffer, 0));
  tell("end", recv(fd, buffer, sizeof buffer, 0));
  hand_over();
}

static void low_water_does_not_block(int fd, bool subject) {
  if (!subject) return feed(fd, (int[]){10, 10, 0});
  set_mark(fd, 100);
  tell("some", recv(fd, buffer, 100, MSG_DONTWAIT));
  tell("none", recv(fd, buffer, 100, MSG_DONTWAIT));
  yield();
  set_timeout(fd, SO_RCVTIMEO, 200);
  int64_t began = milliseconds();
  tell("part", recv(fd, buffer, 100, 0));
  tell("nothing", recv(fd, buffer, 100, 0));
  int64_t took = milliseconds() - began;
  say("%s", took >= 380 && took < 3000 ? "in time" : "not in time");
  yield();
  hand_over();
}

static int in_epoll(int set) {
  struct epoll_event event = {0};
  int count = epoll_wait(set, &event, 1, 0);
  return count == 1 ? (int)event.events : -count;
}

static void say_ready(int fd, int level, int edge) {
  struct pollfd one = {fd, POLLIN | POLLRDHUP, 0};
  poll(&one, 1, 0);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  int selected = select(fd + 1, &set, NULL, NULL, &(struct timeval){0, 0});
  int waiting = -1;
  ioctl(fd, FIONREAD, &waiting);
  say("poll %x select %d level %x edge %x waiting %d", (unsigned)one.revents, selected,
      (unsigned)in_epoll(level), (unsigned)in_epoll(edge), waiting);
}

static void low_water_and_readiness(int fd, bool subject) {
  if (!subject) return feed(fd, (int[]){60, 39, 1, 20000, 20000, 5, 0});
  int level = epoll_create1(0), edge = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(level, EPOLL_CTL_ADD, fd, &event);
  event.events = EPOLLIN | EPOLLET;
  set_mark(fd, 100);
  epoll_ctl(edge, EPOLL_CTL_ADD, fd, &event);
  say_ready(fd, level, edge);  // 60
  yield();
  say_ready(fd, level, edge);  // 99
  tell("long poll", poll(&(struct pollfd){fd, POLLIN, 0}, 1, 100));
  yield();
  say_ready(fd, level, edge);  // 100
  tell("read", recv(fd, buffer, 99, 0));
  say_ready(fd, level, edge);  // 1
  tell("peek", recv(fd, buffer, 99, MSG_PEEK | MSG_DONTWAIT));
  set_mark(fd, 30000);
  yield();
  say_ready(fd, level, edge);  // 20001
  yield();
  say_ready(fd, level, edge);  // 40001
  tell("read", recv(fd, buffer, sizeof buffer, MSG_DONTWAIT));
  say_ready(fd, level, edge);
  yield();
  say_ready(fd, level, edge);  // 5
  yield();
  tell("at the end", poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0));
  tell("read", read(fd, buffer, sizeof buffer));
  hand_over();
}

// A mark that is there before the connection: set before connect(), or by the listener.
static void low_water_from_before(int unused, bool subject) {
  (void)unused;
  int fd;
  if (is_server) {
    int listener = make_listener(&port);
    if (subject) set_mark(listener, 50000);
    hand_over();
    fd = accept(listener, NULL, NULL);
    poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);
    close(listener);
    await_turn();
  } else {
    await_turn();
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (subject) set_mark(fd, 50000);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) perror("connect");
    hand_over();
  }
  if (!subject) {
    if (!is_server) await_turn();
    for (int i = 0; i < 10; ++i) {
      nap(i == 0 ? 200 : 10);
      write_exactly(fd, buffer, 5000);
    }
    hand_over();
    await_turn();
    close(fd);
    return;
  }
  if (is_server) hand_over();
  say_mark(fd);
  tell("all", recv(fd, buffer, sizeof buffer, 0));
  await_turn();
  hand_over();
  close(fd);
}

const struct scenario low_water_cases[] = {
    {"low_water_is_told", low_water_is_told, false},
    {"low_water_blocks", low_water_blocks, false},
    {"low_water_does_not_block", low_water_does_not_block, false},
    {"low_water_and_readiness", low_water_and_readiness, false},
    {"low_water_from_before", low_water_from_before, true},
    {0}};
