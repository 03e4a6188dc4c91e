// foreign_reads COUNT: reads a byte of /dev/zero COUNT times, in batches, and
// prints the least and the median time of a read, in nanoseconds. No socket is
// involved: under a preload this is what its hook costs to everything else.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { batch = 2000 };

static double nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  size_t batches = strtoul(argv[1], NULL, 10) / batch + 1;
  double* times = calloc(batches, sizeof *times);
  int fd = open("/dev/zero", O_RDONLY);
  char byte;
  if (times == NULL || fd < 0) return 1;

  for (size_t i = 0; i < batches; i++) {
    double begin = nanoseconds();
    for (int n = 0; n < batch; n++)
      if (read(fd, &byte, 1) != 1) return 1;
    times[i] = (nanoseconds() - begin) / batch;
  }
  qsort(times, batches, sizeof *times, ascending);
  printf("%.3f %.3f\n", times[0], times[batches / 2]);
  return 0;
}
