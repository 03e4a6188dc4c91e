// Epoll, poll and select, where a library's own idea of them went wrong.
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "issues.h"

static char buffer[20000];

static const char* words(uint32_t events) {
  static char text[100];
  text[0] = '\0';
  if (events & EPOLLIN) strcat(text, "in ");
  if (events & EPOLLOUT) strcat(text, "out ");
  if (events & EPOLLRDHUP) strcat(text, "rdhup ");
  if (events & EPOLLHUP) strcat(text, "hup ");
  if (events & EPOLLERR) strcat(text, "err ");
  return text;
}

// Prints each event of one wait, by the number that was registered with it.
static void wait_and_tell(int set, int milliseconds) {
  struct epoll_event events[8];
  int count = epoll_wait(set, events, 8, milliseconds);
  tell("epoll_wait", count);
  for (int i = 0; i < count; ++i) say("  %u: %s", events[i].data.u32, words(events[i].events));
}

static long control(int set, int what, int fd, uint32_t events, uint32_t number) {
  struct epoll_event event = {.events = events, .data.u32 = number};
  return epoll_ctl(set, what, fd, &event);
}

WITH_ECHO(sets_and_their_mistakes) {
  int set = epoll_create1(0), outer = epoll_create1(0);
  tell("mod of none", control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 1));
  tell("del of none", epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL));
  tell("add", control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
  tell("add twice", control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
  tell("add to itself", control(set, EPOLL_CTL_ADD, set, EPOLLIN, 1));
  tell("nest", control(outer, EPOLL_CTL_ADD, set, EPOLLIN, 2));
  tell("nest back", control(set, EPOLL_CTL_ADD, outer, EPOLLIN, 3));
  tell("beside", control(outer, EPOLL_CTL_ADD, fd, EPOLLIN, 4));
  tell("unknown", control(set, 77, fd, EPOLLIN, 1));
  tell("not a set", control(fd, EPOLL_CTL_ADD, set, EPOLLIN, 1));
  tell("closed", control(987, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
  tell("of closed", control(set, EPOLL_CTL_ADD, 987, EPOLLIN, 1));
  int file = memfd_create("file", 0);
  tell("a file", control(set, EPOLL_CTL_ADD, file, EPOLLIN, 1));
  tell("no event", epoll_ctl(set, EPOLL_CTL_MOD, fd, NULL));
  write_exactly(fd, SECRET, SECRET_LENGTH);
  wait_and_tell(set, 5000);
  struct epoll_event both[4];
  int seen = 0;  // two may become ready one after the other
  for (int64_t end = milliseconds() + 5000; seen < 2 && milliseconds() < end;)
    seen = epoll_wait(outer, both, 4, 100);
  say("outer %d", seen);
  tell("read", (long)read_exactly(fd, buffer, SECRET_LENGTH));
  wait_and_tell(set, 0);
  wait_and_tell(outer, 0);
  tell("no room", epoll_wait(set, both, 0, 0));
  tell("less than none", epoll_wait(set, both, -1, 0));
  tell("too much room", epoll_wait(set, both, 0x7fffffff, 0));
  close(set);
  wait_and_tell(outer, 0);
  close(outer);
  close(fd);
  finish();
}

static void hangs_up(int fd) {
  yield();
  shutdown(fd, SHUT_WR);
  yield();
}

// Level: each wait tells of the end, once. Edge: one does.
static void end_of_file_is_told_once(int fd, bool subject) {
  if (!subject) {
    hangs_up(fd);
    return;
  }
  int set = epoll_create1(0);
  control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, 1);
  wait_and_tell(set, 0);
  hand_over();
  wait_and_tell(set, 5000);
  tell("read", read(fd, buffer, 1));
  struct epoll_event event;
  int more = 0;  // the end of TLS and that of TCP may be an edge each
  while (more < 5 && epoll_wait(set, &event, 1, 200) > 0) ++more;
  say("quiet %d", more <= 1);
  control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP, 2);
  wait_and_tell(set, 5000);
  wait_and_tell(set, 5000);
  control(set, EPOLL_CTL_MOD, fd, 0, 3);
  wait_and_tell(set, 50);
  control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 4);
  wait_and_tell(set, 5000);
  wait_and_tell(set, 50);
  await_turn();
  hand_over();
}

static void resets(int fd) {
  yield();
  struct linger none = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(fd);
  yield();
}

// An error is told to those as well who asked for nothing.
static void errors_are_told_unasked(int fd, bool subject) {
  if (!subject) {
    resets(fd);
    return;
  }
  int set = epoll_create1(0);
  control(set, EPOLL_CTL_ADD, fd, 0, 1);
  wait_and_tell(set, 0);
  hand_over();
  struct epoll_event event = {0};
  int count = epoll_wait(set, &event, 1, 5000);
  say("%d: %d", count, (event.events & EPOLLERR) != 0);
  struct pollfd one = {fd, 0, 0};
  tell("poll", poll(&one, 1, 5000));
  say("%d", (one.revents & (POLLERR | POLLHUP)) != 0);
  int error = -1;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  say("%s", strerrorname_np(error));
  await_turn();
  hand_over();
}

static void speaks_twice(int fd) {
  for (int i = 0; i < 2; ++i) {
    yield();
    write_exactly(fd, SECRET, SECRET_LENGTH);
  }
  yield();
}

// One shot, one edge: nothing more before it is armed again, and then what is there.
static void one_shot_and_edge(int fd, bool subject) {
  if (!subject) {
    speaks_twice(fd);
    return;
  }
  int set = epoll_create1(0);
  control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 1);
  hand_over();
  wait_and_tell(set, 5000);
  await_turn();
  hand_over();
  await_turn();
  wait_and_tell(set, 50);
  control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 2);
  wait_and_tell(set, 5000);
  wait_and_tell(set, 50);
  tell("read", (long)read_exactly(fd, buffer, 2 * SECRET_LENGTH));
  control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 3);
  wait_and_tell(set, 50);
  hand_over();
}

// The own end being shut, what the other sends is still told of.
static void told_after_own_shutdown(int fd, bool subject) {
  if (!subject) {
    speaks_twice(fd);
    return;
  }
  int set = epoll_create1(0);
  control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
  tell("shutdown", shutdown(fd, SHUT_WR));
  wait_and_tell(set, 50);
  for (int i = 0; i < 2; ++i) {
    hand_over();
    wait_and_tell(set, 5000);
    tell("read", (long)read_exactly(fd, buffer, SECRET_LENGTH));
    wait_and_tell(set, 0);
    await_turn();
  }
  hand_over();
}

static void sends_a_record(int fd) {
  memset(buffer, 'r', sizeof buffer);
  yield();
  write_exactly(fd, buffer, 16000);
  yield();
}

// What lies decrypted above the socket is as readable as what lies below.
static void byte_by_byte(int fd, bool subject) {
  if (!subject) {
    sends_a_record(fd);
    return;
  }
  int set = epoll_create1(0), told = 0;
  control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
  hand_over();
  for (int i = 0; i < 2000; ++i) {
    struct epoll_event event;
    struct pollfd one = {fd, POLLIN, 0};
    fd_set reads;
    FD_ZERO(&reads);
    FD_SET(fd, &reads);
    if (i % 3 == 0) told += epoll_wait(set, &event, 1, 5000) == 1;
    if (i % 3 == 1) told += poll(&one, 1, 5000) == 1;
    if (i % 3 == 2) told += select(fd + 1, &reads, NULL, NULL, &(struct timeval){5, 0}) == 1;
    if (read(fd, buffer, i == 1000 ? 13999 : 1) <= 0) break;
  }
  say("told %d times", told);
  tell("read on", (long)read_exactly(fd, buffer, 16000 - 1999 - 13999));
  wait_and_tell(set, 0);
  say("poll %d", readable(fd, 0));
  await_turn();
  hand_over();
}

// Never wanting to write must not mean being told that one can.
WITH_ECHO(wishes_that_come_and_go) {
  int set = epoll_create1(0);
  control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
  for (int i = 0; i < 3; ++i) {
    control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT, 2);
    wait_and_tell(set, 1000);
    write_exactly(fd, SECRET, SECRET_LENGTH);
    control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 3);
    wait_and_tell(set, 5000);
    tell("read", (long)read_exactly(fd, buffer, SECRET_LENGTH));
    wait_and_tell(set, 20);
  }
  close(fd);
  finish();
}

// One place for events, many that have some: each has its turn.
static void everybody_has_a_turn(int unused, bool subject) {
  (void)unused;
  enum { many = 12, rounds = 20 };
  int listener = listen_first();
  int fds[many], served[many] = {0}, set = epoll_create1(0);
  for (int i = 0; i < many; ++i) {
    fds[i] = is_server ? accept(listener, NULL, NULL) : make_client(via);
    if (is_server)
      read(fds[i], buffer, 1);
    else
      write(fds[i], "x", 1);
  }
  for (int i = 0; subject && i < many; ++i) {
    set_blocking(fds[i], false);
    control(set, EPOLL_CTL_ADD, fds[i], EPOLLIN, (uint32_t)i);
  }
  for (int i = 0; !subject && i < many; ++i)
    for (int round = 0; round < rounds; ++round) write_exactly(fds[i], SECRET, SECRET_LENGTH);
  struct epoll_event event;
  int left = subject ? many * rounds * SECRET_LENGTH : 0;
  // Those that have ended are told of for ever, and must not be all that is told.
  const int64_t end = milliseconds() + 10000;
  while (left > 0 && milliseconds() < end && epoll_wait(set, &event, 1, 5000) == 1) {
    ssize_t got = read(fds[event.data.u32], buffer, 7);
    if (got > 0) served[event.data.u32] += (int)got;
    if (got > 0) left -= (int)got;
  }
  int whole = 0;
  for (int i = 0; i < many; ++i) whole += served[i] == rounds * SECRET_LENGTH;
  if (subject) say("served %d", whole);
  for (int i = 0; i < many; ++i) close(fds[i]);
  end_together();
}

static void registered_before_bind(int unused, bool subject) {
  (void)unused;
  if (!subject) {
    yield();
    return;
  }
  int set = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  tell("add", control(set, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLET, 1));
  tell("add", control(set, EPOLL_CTL_ADD, client, EPOLLOUT | EPOLLET, 2));
  struct epoll_event event;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  tell("bind", bind(listener, (struct sockaddr*)&to, sizeof to));
  tell("listen", listen(listener, 5));
  while (epoll_wait(set, &event, 1, 0) > 0) event.events = 0;  // of sockets that are not connected
  int begun = connect(client, (struct sockaddr*)&to, sizeof to);
  say("connect %s", begun == 0 || errno == EINPROGRESS ? "begun" : strerrorname_np(errno));
  int server = accept(listener, NULL, NULL);  // an address that nobody wants
  say("accepted %d", server >= 0);
  control(set, EPOLL_CTL_ADD, server, EPOLLIN, 3);
  bool writable = false, heard = false;
  while (!heard && epoll_wait(set, &event, 1, 5000) == 1) {
    if (event.data.u32 == 2 && !writable)
      writable = write_exactly(client, SECRET, SECRET_LENGTH);
    heard = event.data.u32 == 3;
  }
  say("writable %d, heard %d", writable, heard);
  tell("read", (long)read_exactly(server, buffer, SECRET_LENGTH));
  hand_over();
}

WITH_ECHO(select_beyond_its_table) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max < 3000 ? limit.rlim_max : 3000;
  setrlimit(RLIMIT_NOFILE, &limit);
  int high = (int)limit.rlim_cur - 1;
  say("%d", dup2(fd, high) == high);
  // As programs with more descriptors than FD_SETSIZE do it.
  fd_mask* set = calloc(3000 / NFDBITS + 1, sizeof *set);
  set[high / NFDBITS] |= (fd_mask)1 << high % NFDBITS;
  write_exactly(fd, SECRET, SECRET_LENGTH);
  tell("select", select(high + 1, (fd_set*)set, NULL, NULL, &(struct timeval){5, 0}));
  say("%d", (set[high / NFDBITS] >> high % NFDBITS & 1) != 0);
  tell("read", (long)read_exactly(high, buffer, SECRET_LENGTH));
  tell("select", select(high + 1, (fd_set*)set, NULL, NULL, &(struct timeval){0, 0}));
  say("%d", (set[high / NFDBITS] >> high % NFDBITS & 1) != 0);
  free(set);
  close(fd);
  close(high);
  finish();
}

WITH_ECHO(epoll_pwait2_as_the_kernel_has_it) {
  int set = epoll_create1(0);
  struct epoll_event event;
  control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
  tell("at once", epoll_pwait2(set, &event, 1, &(struct timespec){0, 0}, NULL));
  int64_t began = milliseconds();
  tell("30 ms", epoll_pwait2(set, &event, 1, &(struct timespec){0, 30000000}, NULL));
  say("%d", milliseconds() - began >= 29);
  tell("no such time", epoll_pwait2(set, &event, 1, &(struct timespec){0, 2000000000}, NULL));
  tell("before time", epoll_pwait2(set, &event, 1, &(struct timespec){-1, 0}, NULL));
  tell("bad time", epoll_pwait2(set, &event, 1, (void*)8, NULL));
  tell("no room", epoll_pwait2(set, &event, 0, NULL, NULL));
  write_exactly(fd, SECRET, SECRET_LENGTH);
  sigset_t signals;
  sigemptyset(&signals);
  tell("for ever", epoll_pwait2(set, &event, 1, NULL, &signals));
  tell("bad room", epoll_pwait2(set, (void*)8, 1, NULL, NULL));
  tell("not a set", epoll_pwait2(fd, &event, 1, NULL, NULL));
  tell("closed", epoll_pwait2(987, &event, 1, NULL, NULL));
  tell("read", (long)read_exactly(fd, buffer, SECRET_LENGTH));
  close(fd);
  finish();
}

const struct scenario readiness_cases[] = {
    {"sets_and_their_mistakes", sets_and_their_mistakes, false},
    {"end_of_file_is_told_once", end_of_file_is_told_once, false},
    {"errors_are_told_unasked", errors_are_told_unasked, false},
    {"one_shot_and_edge", one_shot_and_edge, false},
    {"told_after_own_shutdown", told_after_own_shutdown, false},
    {"byte_by_byte", byte_by_byte, false},
    {"wishes_that_come_and_go", wishes_that_come_and_go, false},
    {"everybody_has_a_turn", everybody_has_a_turn, true},
    {"registered_before_bind", registered_before_bind, true},
    {"select_beyond_its_table", select_beyond_its_table, false},
    {"epoll_pwait2_as_the_kernel_has_it", epoll_pwait2_as_the_kernel_has_it, false},
    {0}};
