// Edge-triggered.
#include "readiness.h"

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

// Who asks how much there is, and reads no further, waits for an edge of what came since.
static void edge_of_what_was_not_counted(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN | EPOLLET, 1);
  order("send 0 300000");
  nap(50);
  int total = 0;
  while (total < 300000) {
    struct epoll_event event;
    int amount = 0;
    if (epoll_wait(ep, &event, 1, 5000) != 1) die("no edge");
    ioctl(fd, FIONREAD, &amount);
    read_exactly(fd, (size_t)amount);
    total += amount;
  }
  printf("%d bytes\n", total);
  await_peer();
}

const struct scenario edge_cases[] = {CASE(edges),
                                      CASE(edge_of_room),
                                      CASE(level_of_room),
                                      CASE(leftover_leaves),
                                      CASE(edge_of_what_was_not_counted),
                                      {0}};
