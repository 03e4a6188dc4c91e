// A non-blocking server of one connection, which counts what each call of recv(2) gives.
// usage: idle PORT poll|select|level|edge BYTES
//
// Reads until BYTES have come, or the connection ends; prints the most that one recv gave, how
// many times it was woken in vain, how often it read, and how it ended.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int set = -1;

static int ready(const char* how, int fd) {
  const int patience = 20000;
  if (set >= 0) {
    struct epoll_event event;
    return epoll_wait(set, &event, 1, patience);
  }
  if (strcmp(how, "poll") == 0) {
    struct pollfd one = {fd, POLLIN, 0};
    return poll(&one, 1, patience);
  }
  fd_set readable;
  FD_ZERO(&readable);
  FD_SET(fd, &readable);
  struct timeval time = {patience / 1000, 0};
  return select(fd + 1, &readable, NULL, NULL, &time);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const char* how = argv[2];
  const long wanted = atol(argv[3]);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 8) != 0)
    return 3;
  const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (strcmp(how, "level") == 0 || strcmp(how, "edge") == 0) {
    struct epoll_event event = {.events = EPOLLIN | (*how == 'e' ? EPOLLET : 0)};
    set = epoll_create1(0);
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
  }
  static char buffer[65536];
  long total = 0, most = 0, calls = 0, in_vain = 0;
  const char* end = "all";
  while (total < wanted) {
    if (ready(how, fd) != 1) {
      end = "lost";
      break;
    }
    ssize_t got;
    while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
      ++calls;
      total += got;
      if (got > most) most = got;
    }
    ++calls;
    if (got == 0 || errno != EAGAIN) {
      end = got == 0 ? "eof" : strerrorname_np(errno);
      break;
    }
  }
  printf("most=%ld calls=%ld end=%s total=%ld\n", most, calls, end, total);
  fflush(stdout);
  if (strcmp(end, "all") == 0) {  // nothing more comes: a look must sleep
    for (int i = 0; i != 3; ++i) {
      if (set >= 0) {
        struct epoll_event event;
        in_vain += epoll_wait(set, &event, 1, 200) != 0;
      } else {
        struct pollfd again = {fd, POLLIN, 0};
        in_vain += poll(&again, 1, 200) != 0;
      }
    }
    printf("in_vain=%ld\n", in_vain);
  }
  return 0;
}
