// Registrations: who is in which set.
#include "readiness.h"

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

const struct scenario registrations_cases[] = {CASE(modifying),
                                               CASE(refusals),
                                               CASE(several_sets),
                                               CASE(duplicates),
                                               CASE(number_reused),
                                               CASE(set_closed),
                                               CASE(set_duplicated_early),
                                               CASE(nested),
                                               CASE(inner_polled),
                                               CASE(few_at_a_time),
                                               {0}};
