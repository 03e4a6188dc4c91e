#include <sys/epoll.h>
#include <sys/syscall.h>

#include "parity.h"

static char buffer[1 << 20];
static int shared;

// A timeout is one for the whole call, not one for each piece that comes.
static void waits_for_all(int fd, bool subject) {
  if (!subject) {
    hand_over();
    for (int i = 0; i < 12; ++i) {
      write_exactly(fd, "abcd", 4);
      nap(150);
    }
    await_turn();
    return;
  }
  set_timeout(fd, SO_RCVTIMEO, 500);
  int64_t began = milliseconds();
  ssize_t got = recv(fd, buffer, 1000, MSG_WAITALL);
  int64_t took = milliseconds() - began;
  say("%d %d", got > 0 && got < 40, took >= 480 && took < 1200);
  set_timeout(fd, SO_RCVTIMEO, 0);
  hand_over();
}

static void waits_to_send(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    hand_over();
    for (int i = 0; i < 12; ++i) {
      if (recv(fd, buffer, 60000, MSG_DONTWAIT) < 0 && errno != EAGAIN) break;
      nap(150);
    }
    await_turn();
    return;
  }
  set_timeout(fd, SO_SNDTIMEO, 500);
  int64_t began = milliseconds();
  ssize_t sent = send(fd, buffer, sizeof buffer, MSG_NOSIGNAL);
  int64_t took = milliseconds() - began;
  say("%d %d", sent > 0 && sent < (ssize_t)sizeof buffer, took >= 480 && took < 1200);
  hand_over();
}

static void* reads_on(void* unused) {
  char byte;
  return (void*)(intptr_t)(unused == NULL ? read(shared, &byte, 1) : 0);
}

// The second of two readers has a timeout, hears signals, and can be cancelled.
static void second_reader(int fd, bool subject) {
  if (!subject) {
    hand_over();
    await_turn();
    write_exactly(fd, "x", 1);
    return;
  }
  shared = fd;
  pthread_t first;
  pthread_create(&first, NULL, reads_on, NULL);
  nap(100);
  on_signal(SIGALRM, 0);
  alarm_in(200);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  tell("interrupted", read(fd, buffer, 1));
  say("%d", (int)signals_seen);
  pthread_t cancelled;
  pthread_create(&cancelled, NULL, reads_on, NULL);
  nap(100);
  pthread_cancel(cancelled);
  void* how;
  pthread_join(cancelled, &how);
  say("%s", how == PTHREAD_CANCELED ? "cancelled" : "not");
  set_timeout(fd, SO_RCVTIMEO, 200);
  int64_t began = milliseconds();
  tell("late", read(fd, buffer, 1));
  int64_t took = milliseconds() - began;
  say("%d", took >= 190 && took < 900);
  hand_over();
  pthread_join(first, &how);
  say("%d", (int)(intptr_t)how);
}

static void resets_what_was_not_read(int fd, bool subject) {
  if (!subject) {
    write_exactly(fd, "0123456789", 10);
    yield();
    report(read(fd, buffer, 10) < 0 ? (uint64_t)errno : 0);
    await_turn();
    return;
  }
  readable(fd, 5000);
  tell("read", read(fd, buffer, 4));
  tell("close", close(fd));
  hand_over();
  say("%lu", (unsigned long)reported());
  hand_over();
}

// A child that libc's fork knows nothing of uses and closes what it inherited.
static void unannounced_child(int fd, bool subject) {
  if (!subject) {
    hand_over();
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) write_exactly(fd, buffer, (size_t)got);
    report(got == 0);
    await_turn();
    return;
  }
  pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
  if (child == 0) {
    bool good = write_exactly(fd, "child", 5) && read_exactly(fd, buffer, 5) == 5;
    close(fd);
    syscall(SYS_exit_group, good ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  say("child %d", status);
  say("parent %d", write_exactly(fd, "parent", 6) && read_exactly(fd, buffer, 6) == 6);
  child = _Fork();
  if (child == 0) {
    bool good = write_exactly(fd, "child", 5) && read_exactly(fd, buffer, 5) == 5;
    _exit(good ? 0 : 1);
  }
  waitpid(child, &status, 0);
  say("child %d", status);
  say("parent %d", write_exactly(fd, "parent", 6) && read_exactly(fd, buffer, 6) == 6);
  close(fd);
  say("%lu", (unsigned long)reported());
  hand_over();
}

// Between vfork and its end, the child is the parent's memory with another name.
static void vfork_child_writes(int fd, bool subject) {
  if (!subject) {
    hand_over();
    report((uint64_t)read_exactly(fd, buffer, 11));
    write_exactly(fd, "thanks", 6);
    report(read(fd, buffer, 1) == 0);
    await_turn();
    return;
  }
  pid_t child = vfork();
  if (child == 0) {
    ssize_t sent = write(fd, "child", 5);
    close(fd);
    _exit(sent == 5 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  say("child %d", status);
  tell("write", write(fd, "parent", 6));
  say("%lu", (unsigned long)reported());
  tell("read", (long)read_exactly(fd, buffer, 6));
  close(fd);
  say("%lu", (unsigned long)reported());
  hand_over();
}

// getdtablesize() for the size of an ordinary set, where very many are allowed.
static void select_by_table_size(int fd, bool subject) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (!subject) {
    hand_over();
    write_exactly(fd, "x", 1);
    await_turn();
    return;
  }
  size_t page = (size_t)getpagesize();
  char* memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(memory + page, page);
  fd_set* set = (fd_set*)(memory + page - sizeof(fd_set));  // nothing lies behind it
  FD_ZERO(set);
  FD_SET(fd, set);
  tell("select", select(getdtablesize() > 1000000 ? 1000000 : getdtablesize(), set, NULL, NULL,
                        &(struct timeval){5, 0}));
  say("%d", FD_ISSET(fd, set) != 0);
  hand_over();
}

// epoll_pwait2(2) waits for less than a millisecond.
static void short_waits(int fd, bool subject) {
  if (!subject) {
    yield();
    return;
  }
  int set = epoll_create1(0);
  epoll_ctl(set, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN});
  int64_t shortest = INT64_MAX;
  for (int i = 0; i < 50; ++i) {
    struct epoll_event event;
    struct timespec began, ended, wait = {0, 100000};
    clock_gettime(CLOCK_MONOTONIC, &began);
    if (epoll_pwait2(set, &event, 1, &wait, NULL) != 0) say("an event");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    int64_t took = (ended.tv_sec - began.tv_sec) * 1000000000L + ended.tv_nsec - began.tv_nsec;
    if (took < shortest) shortest = took;
  }
  say("%d", shortest >= 100000 && shortest < 900000);
  hand_over();
}

const struct scenario timeout_cases[] = {
    {"waits_for_all", waits_for_all, false},
    {"waits_to_send", waits_to_send, false},
    {"second_reader", second_reader, false},
    {"resets_what_was_not_read", resets_what_was_not_read, false},
    {"unannounced_child", unannounced_child, false},
    {"vfork_child_writes", vfork_child_writes, false},
    {"select_by_table_size", select_by_table_size, false},
    {"short_waits", short_waits, false},
    {0}};
