// Several threads and processes at one set.
#include "readiness.h"

#include <sched.h>

static int shared_fd, shared_set;
static atomic_int heard;

static void* sleep_in_epoll(void* unused) {
  (void)unused;
  wait_for(shared_set, 3000, 64, "sleeper");
  return NULL;
}

static void* read_ten(void* unused) {
  (void)unused;
  char buffer[10];
  if (recv(shared_fd, buffer, sizeof buffer, 0) != 10) printf("not ten\n");
  return NULL;
}

// One sleeps, another reads a part of what comes: the sleeper sees the rest.
static void sleepers(void) {
  shared_fd = open_one(0);
  shared_set = epoll_create1(0);
  add(shared_set, shared_fd, EPOLLIN, 1);
  for (int i = 0; i < 5; i++) {
    pthread_t sleeper, reader;
    pthread_create(&sleeper, NULL, sleep_in_epoll, NULL);
    pthread_create(&reader, NULL, read_ten, NULL);
    nap(20);
    PEER("send 0 100");
    pthread_join(reader, NULL);
    pthread_join(sleeper, NULL);
    printf("rest: %zu\n", take_all(shared_fd));
  }
}

// Makes it likely that the others, on the same processor, are the first to run.
static void be_slow(void) { setpriority(PRIO_PROCESS, (id_t)gettid(), 10); }

static void share_a_processor(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
}

static void* sleep_in_poll(void* unused) {
  (void)unused;
  be_slow();
  poll_one(shared_fd, POLLIN, 3000, "poll");
  return NULL;
}

static void* sleep_in_select(void* unused) {
  (void)unused;
  be_slow();
  fd_set in;
  FD_ZERO(&in);
  FD_SET(shared_fd, &in);
  struct timeval time = {3, 0};
  const int count = select(shared_fd + 1, &in, NULL, NULL, &time);
  printf("select: %d\n", count);
  return NULL;
}

// Spins, since nothing of it comes until somebody else has slept.
static void* snatch_ten(void* unused) {
  (void)unused;
  char buffer[10];
  while (recv(shared_fd, buffer, sizeof buffer, MSG_DONTWAIT) != 10) usleep(100);
  return NULL;
}

// The same with poll and select, whoever comes first.
static void pollers(void) {
  void* (*const ways[])(void*) = {sleep_in_poll, sleep_in_select};
  void* (*const readers[])(void*) = {read_ten, snatch_ten};
  shared_fd = open_one(0);
  share_a_processor();
  for (int i = 0; i < 16; i++) {
    pthread_t sleeper, reader;
    const int reader_first = i / 4 % 2;
    if (reader_first) {
      pthread_create(&reader, NULL, readers[i / 2 % 2], NULL);
      nap(20);
    }
    pthread_create(&sleeper, NULL, ways[i % 2], NULL);
    nap(20);
    if (!reader_first) {
      pthread_create(&reader, NULL, readers[i / 2 % 2], NULL);
      nap(20);
    }
    order("send 0 100");
    await_peer();
    pthread_join(reader, NULL);
    pthread_join(sleeper, NULL);
    printf("rest: %zu\n", take_all(shared_fd));
  }
}

static void* read_to_the_end(void* unused) {
  (void)unused;
  char buffer[10];
  const ssize_t got = recv(shared_fd, buffer, sizeof buffer, 0);
  atomic_fetch_add(&heard, got == 0);
  return NULL;
}

static void* poll_for_the_end(void* events) {
  struct pollfd one = {shared_fd, (short)(intptr_t)events, 0};
  const int count = poll(&one, 1, 3000);
  atomic_fetch_add(&heard, count == 1 && (one.revents & POLLHUP) != 0);
  return NULL;
}

static void* wait_for_the_end(void* unused) {
  (void)unused;
  struct epoll_event event;
  const int count = epoll_wait(shared_set, &event, 1, 3000);
  atomic_fetch_add(&heard, count == 1 && (event.events & EPOLLHUP) != 0);
  return NULL;
}

// shutdown(2) wakes whoever sleeps, be it one or all of them.
static void shut_meanwhile(void) {
  for (int i = 0; i < 5; i++) {
    pthread_t threads[4];
    int count = 0;
    heard = 0;
    shared_fd = open_one(i);
    shared_set = epoll_create1(0);
    add(shared_set, shared_fd, EPOLLIN, 1);
    if (i == 0 || i == 4) pthread_create(&threads[count++], NULL, read_to_the_end, NULL);
    if (i == 1 || i == 4) pthread_create(&threads[count++], NULL, poll_for_the_end, (void*)POLLIN);
    if (i == 2 || i == 4) pthread_create(&threads[count++], NULL, poll_for_the_end, NULL);
    if (i == 3 || i == 4) pthread_create(&threads[count++], NULL, wait_for_the_end, NULL);
    nap(40);
    const double before = now(CLOCK_MONOTONIC);
    shutdown(shared_fd, SHUT_RDWR);
    for (int t = 0; t < count; t++) pthread_join(threads[t], NULL);
    printf("%d of %d heard%s\n", heard, count, now(CLOCK_MONOTONIC) - before > 2 ? ", late" : "");
    close(shared_set);
    close(shared_fd);
  }
}

static void added_meanwhile(void) {
  const int fd = open_one(0);
  for (int i = 0; i < 6; i++) {
    shared_set = epoll_create1(0);
    pthread_t sleeper;
    PEER("send 0 10");
    take(fd, 5, "take");
    if (i % 2 == 1) add(shared_set, fd, 0, 0);
    pthread_create(&sleeper, NULL, sleep_in_epoll, NULL);
    nap(20);
    control(shared_set, i % 2 == 1 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
            EPOLLIN | (i / 2 == 1 ? EPOLLET : 0u) | (i / 2 == 2 ? EPOLLONESHOT : 0u), 1);
    pthread_join(sleeper, NULL);
    take(fd, 5, "take");
    close(shared_set);
  }
}

enum { crowd = 20, messages = 50 };
static int crowd_fds[crowd];
static atomic_int taken, together;

static void* serve_one_shots(void* unused) {
  (void)unused;
  static atomic_int busy[crowd];
  char buffer[16];
  while (taken < crowd * messages * 8) {
    struct epoll_event events[4];
    const int count = epoll_wait(shared_set, events, 4, 20);
    for (int i = 0; i < count; i++) {
      const int which = (int)events[i].data.u64;
      if (atomic_exchange(&busy[which], 1) != 0) together++;
      const ssize_t got = recv(crowd_fds[which], buffer, sizeof buffer, MSG_DONTWAIT);
      if (got > 0) taken += (int)got;
      atomic_store(&busy[which], 0);
      struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = (uint64_t)which};
      epoll_ctl(shared_set, EPOLL_CTL_MOD, crowd_fds[which], &event);
    }
  }
  return NULL;
}

static void shared_one_shots(void) {
  shared_set = epoll_create1(0);
  pthread_t threads[4];
  for (int i = 0; i < crowd; i++) {
    crowd_fds[i] = open_one(i);
    add(shared_set, crowd_fds[i], EPOLLIN | EPOLLONESHOT, i);
  }
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, serve_one_shots, NULL);
  for (int m = 0; m < messages; m++) {
    for (int i = 0; i < crowd; i++) {
      order("send %d 8", i);
      await_peer();
    }
  }
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  printf("taken %d, %d at the same time\n", taken, together);
}

static void* open_and_add(void* unused) {
  (void)unused;
  for (int i = 0; i < crowd; i++) {
    crowd_fds[i] = open_one(i);
    add(shared_set, crowd_fds[i], EPOLLIN, i);
    order("send %d 8", i);
    await_peer();
  }
  return NULL;
}

// A set is made use of while somebody sleeps in it that never saw a member.
static void filled_meanwhile(void) {
  shared_set = epoll_create1(0);
  pthread_t opener;
  pthread_create(&opener, NULL, open_and_add, NULL);
  int total = 0, wrong = 0;
  while (total < crowd * 8) {
    struct epoll_event events[4];
    const int count = epoll_wait(shared_set, events, 4, 5000);
    if (count <= 0) break;
    for (int i = 0; i < count; i++) {
      char buffer[64];
      if (events[i].data.u64 >= crowd) {
        wrong++;
        continue;
      }
      const ssize_t got = recv(crowd_fds[events[i].data.u64], buffer, 3, MSG_DONTWAIT);
      if (got > 0) total += (int)got;
    }
  }
  pthread_join(opener, NULL);
  printf("total %d, wrong %d\n", total, wrong);
}

static atomic_int stop;
static void* churn(void* unused) {
  (void)unused;
  while (!stop) {
    const int copy = dup(shared_fd);
    const int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u64 = 77};
    epoll_ctl(shared_set, EPOLL_CTL_ADD, copy, &event);
    epoll_ctl(set, EPOLL_CTL_ADD, copy, &event);
    epoll_wait(set, &event, 1, 0);
    epoll_ctl(shared_set, EPOLL_CTL_DEL, copy, &event);
    if (rand() % 2)
      close(set), close(copy);
    else
      close(copy), close(set);
  }
  return NULL;
}

// Registrations come and go while others wait in the set.
static void churned(void) {
  shared_fd = open_one(0);
  shared_set = epoll_create1(0);
  pthread_t threads[3];
  add(shared_set, shared_fd, EPOLLIN, 1);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, churn, NULL);
  int wrong = 0;
  for (int i = 0; i < 300; i++) {
    order("send 0 8");
    await_peer();
    int seen = 0;
    const double until = now(CLOCK_MONOTONIC) + 2;
    while (!seen && now(CLOCK_MONOTONIC) < until) {
      struct epoll_event events[8];
      const int count = epoll_wait(shared_set, events, 8, 1000);
      if (count < 0) printf("%s\n", strerrorname_np(errno));
      for (int e = 0; e < count; e++) {
        if (events[e].data.u64 == 1)
          seen = 1;
        else if (events[e].data.u64 != 77)
          wrong++;
      }
    }
    if (!seen) printf("lost at %d\n", i);
    read_exactly(shared_fd, 8);
  }
  stop = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("wrong: %d\n", wrong);
}

static void over_fork(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN, 1);
  PEER("send 0 10");
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    look(ep, "child");
    poll_one(fd, POLLIN, 0, "child");
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  look(ep, "parent");
  take(fd, 10, "take");
  look(ep, "parent");
}

static void idle(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN, 1);
  calm(ep, "level");
  modify(ep, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
  look(ep, "at first");
  calm(ep, "edge");
  PEER("send 0 100");
  look(ep, "data");
  take(fd, 10, "take");
  calm(ep, "unread");
  printf("all: %zu\n", take_all(fd));
  calm(ep, "read");
}

const struct scenario threads_cases[] = {CASE(sleepers),
                                         CASE(pollers),
                                         CASE(shut_meanwhile),
                                         CASE(added_meanwhile),
                                         CASE(shared_one_shots),
                                         CASE(filled_meanwhile),
                                         CASE(churned),
                                         CASE(over_fork),
                                         CASE(idle),
                                         {0}};
