// fork_cost COUNT PORT: opens COUNT connections to a process of its own making and
// prints what fork(2) costs then, in microseconds: the median of 31 forks of a child that
// ends at once, without the child's own time.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { rounds = 31 };

static void serve(struct sockaddr_in* address, int count, int ready) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr*)address, sizeof *address) != 0 ||
      listen(listener, 64) != 0) {
    perror("listen");
    exit(1);
  }
  if (write(ready, "r", 1) != 1) exit(1);
  char byte;
  int last = -1;
  for (int i = 0; i < count; ++i) {
    last = accept(listener, NULL, NULL);
    if (read(last, &byte, 1) != 1 || write(last, &byte, 1) != 1) exit(1);
  }
  read(last, &byte, 1);  // until the other process ends
  _exit(0);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int ascending(const void* a, const void* b) {
  double difference = *(const double*)a - *(const double*)b;
  return (difference > 0) - (difference < 0);
}

int main(int words, char** word) {
  if (words != 3) return 2;
  int count = atoi(word[1]);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(word[2]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int ready[2];
  if (pipe(ready) != 0) return 1;
  if (fork() == 0) serve(&address, count, ready[1]);
  char byte;
  if (read(ready[0], &byte, 1) != 1) return 1;
  for (int i = 0; i < count; ++i) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0 || write(fd, "x", 1) != 1 ||
        read(fd, &byte, 1) != 1) {
      perror("connect");
      return 1;
    }
  }
  double took[rounds];
  for (int i = 0; i < rounds; ++i) {
    double began = now();
    pid_t child = fork();
    if (child == 0) _exit(0);
    took[i] = now() - began;
    waitpid(child, NULL, 0);
  }
  qsort(took, rounds, sizeof *took, ascending);
  printf("%.0f\n", took[rounds / 2]);
  return 0;
}
