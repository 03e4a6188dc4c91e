// Both ends of the traffic that is measured, over blocking sockets on loopback.
//
//   traffic server PORT                      one connection after the other
//   traffic server PORT fork                 a process for each connection
//   traffic client bulk PORT SIZE COUNT [STREAMS [CONGESTION]]   COUNT writes of SIZE bytes, one
//                                            way; CONGESTION: tcp(7), instead of the system's
//   traffic client ping PORT SIZE COUNT      COUNT messages of SIZE bytes, echoed one by one
//   traffic client connect PORT full|resumed COUNT    COUNT connections: a byte, a byte back
//   traffic client arrive PORT full|resumed RATE      RATE connections a second, until killed
//
// The client prints the seconds it took, without start-up, for ping the 50th, 99th and
// 99.9th percentile of a round trip in microseconds, and then in words what the
// transport says of the connection. A connection begins with its kind: 'b'
// (then 8 bytes: how many follow; answered by the same number), 'p' (all that
// follows is echoed), 'c' (answered by itself).
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "transport.h"

static char buffer[1 << 20];
static const char* congestion;  // NULL: the system's

void die(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static bool write_all(struct transport* t, const void* data, size_t size) {
  for (const char* next = data; size > 0;) {
    ssize_t n = transport_write(t, next, size);
    if (n <= 0) return false;
    next += n;
    size -= (size_t)n;
  }
  return true;
}

static bool read_all(struct transport* t, void* data, size_t size) {
  for (char* next = data; size > 0;) {
    ssize_t n = transport_read(t, next, size);
    if (n <= 0) return false;
    next += n;
    size -= (size_t)n;
  }
  return true;
}

static void set_nodelay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void serve_bulk(struct transport* t) {
  uint64_t expected = 0;
  if (!read_all(t, &expected, sizeof expected)) return;
  uint64_t received = 0;
  while (received < expected) {
    ssize_t n = transport_read(t, buffer, 65536);
    if (n <= 0) return;
    received += (uint64_t)n;
  }
  write_all(t, &received, sizeof received);
}

static void serve_echo(struct transport* t) {
  ssize_t n;
  while ((n = transport_read(t, buffer, 65536)) > 0)
    if (!write_all(t, buffer, (size_t)n)) return;
}

static void serve(struct transport* t) {
  char kind = 0;
  if (!read_all(t, &kind, 1)) return;
  if (kind == 'b') serve_bulk(t);
  if (kind == 'p') serve_echo(t);
  if (kind == 'c' && !write_all(t, &kind, 1)) return;
  transport_read(t, buffer, 1);  // until the client closes
}

static void serve_one(int fd) {
  set_nodelay(fd);
  struct transport* t = transport_accept(fd);
  if (t == NULL) return;
  serve(t);
  transport_close(t);
}

static int run_server(uint16_t port, bool forking) {
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (bind(listener, (struct sockaddr*)&here, sizeof here) != 0) die("bind");
  if (listen(listener, 128) != 0) die("listen");
  puts("ready");
  fflush(stdout);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    if (!forking) {
      serve_one(fd);
      continue;
    }
    if (fork() == 0) {
      close(listener);
      serve_one(fd);
      _exit(0);
    }
    close(fd);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  }
}

static struct transport* connect_to(uint32_t address, uint16_t port, bool nodelay) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (nodelay) set_nodelay(fd);
  if (congestion != NULL &&
      setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) != 0)
    die(congestion);
  struct sockaddr_in there = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
  if (connect(fd, (struct sockaddr*)&there, sizeof there) != 0) die("connect");
  return transport_connect(fd);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void bulk(struct transport* t, size_t size, uint64_t count) {
  uint64_t total = size * count;
  uint64_t received = 0;
  if (!write_all(t, "b", 1) || !write_all(t, &total, sizeof total)) die("write");
  for (uint64_t i = 0; i < count; i++)
    if (!write_all(t, buffer, size)) die("write");
  if (!read_all(t, &received, sizeof received) || received != total) die("bulk answer");
}

// STREAMS processes, each with a connection of its own.
static void bulk_streams(uint16_t port, size_t size, uint64_t count, int streams) {
  for (int i = 0; i < streams; i++) {
    if (fork() != 0) continue;
    struct transport* t = connect_to(INADDR_LOOPBACK, port, false);
    bulk(t, size, count / (uint64_t)streams);
    transport_close(t);
    _exit(0);
  }
  int status = 0;
  while (wait(&status) > 0)
    if (status != 0) die("stream");
}

static int ascending(const void* a, const void* b) {
  float x = *(const float*)a, y = *(const float*)b;
  return (x > y) - (x < y);
}

static void ping(struct transport* t, size_t size, uint64_t count) {
  float* times = malloc(count * sizeof *times);
  if (times == NULL || !write_all(t, "p", 1)) die("write");
  double begin = now(), last = begin;
  for (uint64_t i = 0; i < count; i++) {
    if (!write_all(t, buffer, size) || !read_all(t, buffer, size)) die("ping");
    double end = now();
    times[i] = (float)((end - last) * 1e6);
    last = end;
  }
  qsort(times, count, sizeof *times, ascending);
  printf("%.6f %.1f %.1f %.1f%s\n", last - begin, times[count / 2], times[count * 99 / 100],
         times[count * 999 / 1000], transport_describe());
  free(times);
}

static void connect_once(uint32_t address, uint16_t port) {
  char answer = 0;
  struct transport* t = connect_to(address, port, true);
  if (!write_all(t, "c", 1) || !read_all(t, &answer, 1) || answer != 'c') die("answer");
  transport_close(t);
}

// Under Gaiter a session is resumed only with the address that it came from, so
// `full` goes to another address of 127.0.0.0/8 each time, in every variant.
static void connect_many(uint16_t port, bool full, uint64_t count) {
  for (uint64_t i = 1; i <= count; i++)
    connect_once(INADDR_LOOPBACK + (full ? (uint32_t)i : 0), port);
}

static void arrive(uint16_t port, bool full, uint64_t rate) {
  double begin = now();
  for (uint64_t i = 1;; i++) {
    double wait = begin + (double)i / (double)rate - now();
    if (wait > 0) usleep((useconds_t)(wait * 1e6));
    connect_once(INADDR_LOOPBACK + (full ? (uint32_t)(i % 60000) : 0), port);
  }
}

int main(int argc, char** argv) {
  if (argc >= 3 && strcmp(argv[1], "server") == 0) {
    transport_start(true, false);
    return run_server((uint16_t)atoi(argv[2]), argc == 4);
  }
  if (argc < 6 || strcmp(argv[1], "client") != 0) {
    fprintf(stderr, "usage: see the head of traffic.c\n");
    return 2;
  }
  const char* kind = argv[2];
  uint16_t port = (uint16_t)atoi(argv[3]);
  size_t size = (size_t)atoi(argv[4]);
  uint64_t count = strtoull(argv[5], NULL, 10);
  if (size > sizeof buffer) return 2;
  memset(buffer, 'x', sizeof buffer);

  double begin;
  if (strcmp(kind, "connect") == 0 || strcmp(kind, "arrive") == 0) {
    bool full = strcmp(argv[4], "full") == 0;
    transport_start(false, !full);
    connect_once(INADDR_LOOPBACK, port);  // what is made once is made now
    if (kind[0] == 'a') arrive(port, full, count);
    begin = now();
    connect_many(port, full, count);
    printf("%.6f%s\n", now() - begin, transport_describe());
    return 0;
  }
  transport_start(false, false);
  int streams = argc >= 7 ? atoi(argv[6]) : 1;
  if (argc >= 8) congestion = argv[7];
  if (streams > 1) {
    begin = now();
    bulk_streams(port, size, count, streams);
    printf("%.6f\n", now() - begin);
    return 0;
  }
  bool one_way = strcmp(kind, "bulk") == 0;
  struct transport* t = connect_to(INADDR_LOOPBACK, port, !one_way);
  if (one_way) {
    begin = now();
    bulk(t, size, count);
    printf("%.6f%s\n", now() - begin, transport_describe());
  } else {
    ping(t, size, count);
  }
  transport_close(t);
  return 0;
}
