// What a compiler or a C library makes of ordinary calls; what threads bring along.
#define _FORTIFY_SOURCE 2
#include <dirent.h>
#include <limits.h>
#include <sys/select.h>

#include "issues.h"

static char buffer[1000];
static volatile size_t few = SECRET_LENGTH;  // which no compiler knows
static volatile nfds_t one_of_them = 1;

WITH_ECHO(fortified_calls) {
  struct pollfd waits[2] = {{fd, POLLIN, 0}, {fd, POLLOUT, 0}};
  struct timespec second = {5, 0};
  fd_set reads;
  FD_ZERO(&reads);
  volatile int number = fd;
  FD_SET(number, &reads);
  tell("dprintf", dprintf(fd, "%s", SECRET));
  tell("select", select(fd + 1, &reads, NULL, NULL, &(struct timeval){5, 0}));
  tell("poll", poll(waits, one_of_them, 5000));
  tell("recv", recv(fd, buffer, few - 20, MSG_WAITALL));
  tell("ppoll", ppoll(waits, one_of_them, &second, NULL));
  tell("recvfrom", recvfrom(fd, buffer, few - 20, MSG_WAITALL, NULL, NULL));
  tell("read", read(fd, buffer, few - 16));
  char path[PATH_MAX];
  say("%d", realpath("/proc/self", path) != NULL);
  ping(fd, "after");
  close(fd);
  finish();
}

static int tasks(void) {
  DIR* folder = opendir("/proc/self/task");
  int count = -2;
  while (readdir(folder) != NULL) ++count;
  closedir(folder);
  return count;
}

static volatile pid_t handled_by;
static void handle(int number) {
  (void)number;
  handled_by = gettid();
}

WITH_ECHO(no_other_thread) {
  ping(fd, "open");
  say("threads %d", tasks());
  struct sigaction action = {.sa_handler = handle, .sa_flags = 0};
  sigaction(SIGALRM, &action, NULL);
  alarm_in(50);
  tell("recv", recv(fd, buffer, 1, 0));
  say("here %d", handled_by == getpid());
  close(fd);
  finish();
}

static void* answers(void* argument) {
  int fd = (int)(intptr_t)argument;
  char data[SECRET_LENGTH];
  size_t got = read_exactly(fd, data, sizeof data);
  write_exactly(fd, data, got);
  read(fd, data, 1);
  close(fd);
  return (void*)got;
}

static void* asks(void* unused) {
  char data[SECRET_LENGTH];
  (void)unused;
  int fd = make_client(via);
  write_exactly(fd, SECRET, SECRET_LENGTH);
  size_t got = read_exactly(fd, data, sizeof data);
  close(fd);
  return (void*)got;
}

// Threads that have little room meet a connection first.
static void small_stacks(int unused, bool subject) {
  (void)unused;
  int listener = listen_first();
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536 + 304000);  // less drain()'s thread-local buffer
  for (int i = 0; i < 3; ++i) {
    pthread_t thread;
    void* got = NULL;
    if (is_server) {
      int fd = accept(listener, NULL, NULL);
      pthread_create(&thread, &small, answers, (void*)(intptr_t)fd);
    } else {
      pthread_create(&thread, &small, asks, NULL);
    }
    pthread_join(thread, &got);
    if (subject) say("%ld", (long)got);
  }
  end_together();
}

static void* holds_the_stream(void* stream) {
  flockfile(stream);
  nap(300);
  funlockfile(stream);
  return NULL;
}

// fileno(3) asks no lock.
WITH_ECHO(number_of_a_locked_stream) {
  FILE* stream = fdopen(fd, "r+");
  fputs(SECRET, stream);
  fflush(stream);
  say("%d", fgets(buffer, SECRET_LENGTH + 1, stream) != NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, holds_the_stream, stream);
  nap(50);
  int64_t began = milliseconds();
  say("%d", fileno(stream) >= 0);
  say("at once %d", milliseconds() - began < 150);
  pthread_join(thread, NULL);
  tell("fclose", fclose(stream));
  finish();
}

// Functions of varying arguments get each of their kinds.
WITH_ECHO(varying_arguments) {
  tell("none", fcntl(fd, F_GETFD));
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 300);
  tell("an int", copy);
  struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
  tell("a pointer", fcntl(fd, F_GETLK, &lock) == 0 ? 0 : -1);
  tell("an owner", fcntl(fd, F_SETOWN, getpid()));
  say("%d", fcntl(fd, F_GETOWN) == getpid());
  int waiting = -1;
  tell("a result", ioctl(fd, FIONREAD, &waiting));
  say("%d", waiting);
  int length = dprintf(fd, "%d %s %.3f %lld %c %.2f\n", 1, SECRET, 2.5, 3LL, '4', 5.25);
  tell("many", length);
  say("%zu %.*s", read_exactly(fd, buffer, (size_t)length), length - 1, buffer);
  close(copy);
  close(fd);
  finish();
}

const struct scenario startup_cases[] = {
    {"fortified_calls", fortified_calls, false},
    {"no_other_thread", no_other_thread, false},
    {"small_stacks", small_stacks, true},
    {"number_of_a_locked_stream", number_of_a_locked_stream, false},
    {"varying_arguments", varying_arguments, false},
    {0}};
