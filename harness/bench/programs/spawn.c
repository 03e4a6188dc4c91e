// spawn COUNT [NAME=VALUE]... PROGRAM: runs PROGRAM COUNT times, one after the
// other, with these variables added to the environment, and prints the least and
// the median time from posix_spawn to its end, in microseconds.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static double microseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int ascending(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  size_t count = (size_t)atoi(argv[1]);
  double* times = calloc(count, sizeof *times);
  if (count == 0 || times == NULL) return 2;

  char* environment[64] = {0};
  size_t used = 0;
  for (char** e = environ; *e != NULL && used < 32; e++) environment[used++] = *e;
  char** command = argv + 2;
  while (*command != NULL && strchr(*command, '=') != NULL && used < 62)
    environment[used++] = *command++;
  if (*command == NULL) return 2;

  for (size_t i = 0; i < count; i++) {
    double begin = microseconds();
    pid_t child;
    int status = 0;
    if (posix_spawn(&child, command[0], NULL, NULL, command, environment) != 0) return 1;
    if (waitpid(child, &status, 0) != child || status != 0) return 1;
    times[i] = microseconds() - begin;
  }
  qsort(times, count, sizeof *times, ascending);
  printf("%.3f %.3f\n", times[0], times[count / 2]);
  return 0;
}
