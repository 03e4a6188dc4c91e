// One-shot and exclusive registrations.
#include "readiness.h"

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

const struct scenario shots_cases[] = {CASE(one_shot), CASE(exclusive), CASE(listening), {0}};
