// While a connection comes to be.
#include "readiness.h"

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
    // Data and FIN may be read before an event told of them: the first one told of OUT alone.
    seen &= ~(uint32_t)(EPOLLIN | EPOLLRDHUP);
    printf("%zu bytes, seen %s\n", total, names(seen, text));
    for (int orders = 0; orders < 3; orders++) await_peer();
    close(fd);
  }
}

const struct scenario connecting_cases[] = {
    CASE(connecting), CASE(registered_before_connect), CASE(refused), CASE(accepted_edges), {0}};
