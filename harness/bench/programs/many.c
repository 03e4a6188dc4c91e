// Many connections at once, over epoll: what an idle one costs, and what the idle
// ones cost those that are active.
//
//   many server PORT                          echoes whatever comes
//   many client PORT OPEN ACTIVE ROUNDS       opens OPEN connections, one echo on each; then,
//                                             for each line of its input, ROUNDS times an echo on
//                                             each of the first ACTIVE; then forks, with all of
//                                             them open
//
// The client prints, a line each: bytes resident before and after it opened them, the seconds
// of the rounds for each line of input, and the median time of a fork(2) in microseconds.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "transport.h"

enum { message = 64, events_at_once = 256, forks = 15, addresses = 200 };

static char buffer[4096];

void die(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long resident_bytes(void) {
  long pages = 0, resident = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2) die("statm");
  fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

static void allow_many_descriptors(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void watch(int set, int fd, void* what) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
  if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void set_nodelay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void echo(struct transport* t) {
  do {
    ssize_t n = transport_read(t, buffer, sizeof buffer);
    if (n <= 0 || transport_write(t, buffer, (size_t)n) != n) {
      transport_close(t);
      return;
    }
  } while (transport_pending(t));
}

static int run_server(uint16_t port) {
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (bind(listener, (struct sockaddr*)&here, sizeof here) != 0) die("bind");
  if (listen(listener, 128) != 0) die("listen");
  int set = epoll_create1(0);
  watch(set, listener, NULL);
  for (;;) {
    struct epoll_event events[events_at_once];
    int count = epoll_wait(set, events, events_at_once, -1);
    for (int i = 0; i < count; i++) {
      struct transport* t = events[i].data.ptr;
      if (t == NULL) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) continue;
        set_nodelay(fd);
        t = transport_accept(fd);
        if (t == NULL) continue;
        watch(set, fd, t);
        if (!transport_pending(t)) continue;
      }
      echo(t);
    }
  }
}

static struct transport* open_one(uint16_t port, int number, int set) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  set_nodelay(fd);
  struct sockaddr_in there = {
      .sin_family = AF_INET,
      .sin_port = htons(port),
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number % addresses))};
  if (connect(fd, (struct sockaddr*)&there, sizeof there) != 0) die("connect");
  struct transport* t = transport_connect(fd);
  if (transport_write(t, buffer, message) != message) die("write");
  if (transport_read(t, buffer, message) != message) die("read");
  watch(set, fd, t);
  return t;
}

static void echo_round(struct transport** all, int active, int set) {
  for (int i = 0; i < active; i++)
    if (transport_write(all[i], buffer, message) != message) die("write");
  for (int missing = active; missing > 0;) {
    struct epoll_event events[events_at_once];
    int count = epoll_wait(set, events, events_at_once, -1);
    for (int i = 0; i < count; i++, missing--)
      if (transport_read(events[i].data.ptr, buffer, message) != message) die("read");
  }
}

static int ascending(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static double fork_microseconds(void) {
  double times[forks];
  for (int i = 0; i < forks; i++) {
    double begin = now();
    pid_t child = fork();
    if (child == 0) _exit(0);
    times[i] = (now() - begin) * 1e6;
    waitpid(child, NULL, 0);
  }
  qsort(times, forks, sizeof *times, ascending);
  return times[forks / 2];
}

int main(int argc, char** argv) {
  allow_many_descriptors();
  if (argc == 3 && strcmp(argv[1], "server") == 0) {
    transport_start(true, false);
    return run_server((uint16_t)atoi(argv[2]));
  }
  if (argc != 6 || strcmp(argv[1], "client") != 0) {
    fprintf(stderr, "usage: see the head of many.c\n");
    return 2;
  }
  uint16_t port = (uint16_t)atoi(argv[2]);
  int open_count = atoi(argv[3]), active = atoi(argv[4]), rounds = atoi(argv[5]);
  struct transport** all = calloc((size_t)open_count, sizeof *all);
  int set = epoll_create1(0);
  if (all == NULL || set < 0 || active > open_count) return 2;
  transport_start(false, false);
  all[0] = open_one(port, 0, set);  // what is made once is made now
  long before = resident_bytes();
  for (int i = 1; i < open_count; i++) all[i] = open_one(port, i, set);
  long after = resident_bytes();
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("%ld %ld\n", before, after);
  for (int c; (c = getchar()) != EOF;) {
    if (c != '\n') continue;
    double begin = now();
    for (int i = 0; i < rounds; i++) echo_round(all, active, set);
    printf("%.6f\n", now() - begin);
  }
  printf("%.1f\n", fork_microseconds());
  return 0;
}
