// A peer that is no program of ours: see test_readiness.py.
#include "readiness.h"

static int shared_set;

static void* add_later(void* fd) {
  nap(200);
  add(shared_set, *(int*)fd, EPOLLIN, 1);
  return NULL;
}

// Sleeps for ever, in one way or another, until the peer has said something.
void with_stranger(const char* way) {
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
