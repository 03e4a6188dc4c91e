// Its end, in each direction.
#include "readiness.h"

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

const struct scenario ends_cases[] = {CASE(amounts), CASE(half_closed), CASE(own_shutdown),
                                      CASE(reset),   CASE(peer_closed), {0}};
