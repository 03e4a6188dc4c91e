// Level-triggered: poll, select, epoll.
#include "readiness.h"

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
  for (int i = 0; i < 5; i++) {
    look(ep, "in and out");
    take(fd, 2, "take");
  }
  look(ep, "out");
  calm(epoll_create1(0), "an empty set");
}

// What is left of one socket is looked at in the very call that hears anew of the other.
static void level_epoll_of_two(void) {
  const int a = open_one(0);
  const int b = open_one(1);
  const int ep = epoll_create1(0);
  add(ep, a, EPOLLIN, 1);
  add(ep, b, EPOLLIN, 2);
  PEER("send 0 100");
  PEER("send 1 100");
  look(ep, "both");
  take(a, 40, "some of a");
  take(b, 100, "all of b");
  PEER("send 1 50 3");
  for (int i = 0; i < 3; i++) {
    look(ep, "both");
    take(b, 50, "one of b");
  }
  look(ep, "a");
  take(a, 60, "rest of a");
  look(ep, "none left");
}

const struct scenario level_cases[] = {
    CASE(level_poll), CASE(level_select), CASE(level_epoll), CASE(level_epoll_of_two), {0}};
