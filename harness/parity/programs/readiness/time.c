// Time and signals.
#include "readiness.h"

static const char* judge(double began, int milliseconds) {
  const double took = (now(CLOCK_MONOTONIC) - began) * 1000;
  if (took < milliseconds - 1) return "too early";
  return took < milliseconds + 300 ? "in time" : "too late";
}

static void time_limits(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  add(ep, fd, EPOLLIN, 1);
  static const int limits[] = {0, 60, 1};
  for (int i = 0; i < 3; i++) {
    const int limit = limits[i];
    struct pollfd one = {fd, POLLIN, 0};
    struct epoll_event event;
    fd_set in;
    double began = now(CLOCK_MONOTONIC);
    int count = poll(&one, 1, limit);
    printf("poll %d: %d %s\n", limit, count, judge(began, limit));
    struct timespec time = {0, limit * 1000000L};
    began = now(CLOCK_MONOTONIC);
    count = ppoll(&one, 1, &time, NULL);
    printf("ppoll %d: %d %s\n", limit, count, judge(began, limit));
    FD_ZERO(&in);
    FD_SET(fd, &in);
    began = now(CLOCK_MONOTONIC);
    count = pselect(fd + 1, &in, NULL, NULL, &time, NULL);
    printf("pselect %d: %d %d %s\n", limit, count, FD_ISSET(fd, &in), judge(began, limit));
    FD_SET(fd, &in);
    struct timeval left = {0, limit * 1000};
    began = now(CLOCK_MONOTONIC);
    count = select(fd + 1, &in, NULL, NULL, &left);
    printf("select %d: %d %s, left %ld\n", limit, count, judge(began, limit), (long)left.tv_usec);
    began = now(CLOCK_MONOTONIC);
    count = epoll_wait(ep, &event, 1, limit);
    printf("epoll_wait %d: %d %s\n", limit, count, judge(began, limit));
    began = now(CLOCK_MONOTONIC);
    count = epoll_pwait2(ep, &event, 1, &time, NULL);
    printf("epoll_pwait2 %d: %d %s\n", limit, count, judge(began, limit));
  }
  struct timespec bad = {0, 2000000000};
  struct pollfd one = {fd, POLLIN, 0};
  printf("ppoll: %d %s\n", ppoll(&one, 1, &bad, NULL), strerrorname_np(errno));
  struct timeval wrong = {-1, 0};
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fd, &in);
  printf("select: %d %s\n", select(fd + 1, &in, NULL, NULL, &wrong), strerrorname_np(errno));
  printf("select: %d %s\n", select(-1, &in, NULL, NULL, NULL), strerrorname_np(errno));
  PEER("send 0 10");
  struct timeval plenty = {5, 0};
  printf("select: %d", select(fd + 1, &in, NULL, NULL, &plenty));
  printf(", left %s\n", plenty.tv_sec >= 4 ? "plenty" : "little");
}

static atomic_int signals;
static void on_signal(int number) {
  (void)number;
  signals++;
}

static void interrupted(void) {
  const int fd = open_one(0);
  const int ep = epoll_create1(0);
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  add(ep, fd, EPOLLIN, 1);
  struct pollfd one = {fd, POLLIN, 0};
  struct epoll_event event;
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fd, &in);
  raise(SIGUSR1);
  printf("poll, blocked: %d, %d signals\n", poll(&one, 1, 10), signals);
  int result = ppoll(&one, 1, NULL, &none);
  printf("ppoll: %d %s, %d signals\n", result, strerrorname_np(errno), signals);
  raise(SIGUSR1);
  result = pselect(fd + 1, &in, NULL, NULL, NULL, &none);
  printf("pselect: %d %s, %d signals\n", result, strerrorname_np(errno), signals);
  raise(SIGUSR1);
  result = epoll_pwait(ep, &event, 1, -1, &none);
  printf("epoll_pwait: %d %s, %d signals\n", result, strerrorname_np(errno), signals);
  raise(SIGUSR1);
  result = epoll_pwait2(ep, &event, 1, NULL, &none);
  printf("epoll_pwait2: %d %s, %d signals\n", result, strerrorname_np(errno), signals);
  sigprocmask(SIG_UNBLOCK, &blocked, NULL);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  static const struct itimerval soon = {{0, 0}, {0, 50000}};
  setitimer(ITIMER_REAL, &soon, NULL);
  result = poll(&one, 1, -1);
  printf("poll: %d %s\n", result, strerrorname_np(errno));
  setitimer(ITIMER_REAL, &soon, NULL);
  result = epoll_wait(ep, &event, 1, -1);
  printf("epoll_wait: %d %s\n", result, strerrorname_np(errno));
  setitimer(ITIMER_REAL, &soon, NULL);
  FD_SET(fd, &in);
  result = select(fd + 1, &in, NULL, NULL, NULL);
  printf("select: %d %s\n", result, strerrorname_np(errno));
}

const struct scenario time_cases[] = {CASE(time_limits), CASE(interrupted), {0}};
