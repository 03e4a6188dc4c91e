// Odd numbers, and many.
#include "readiness.h"

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

const struct scenario numbers_cases[] = {CASE(odd_numbers), CASE(thousands), {0}};
