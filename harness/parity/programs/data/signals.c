#include <setjmp.h>

#include "parity.h"

static char buffer[200000];
static int socket_of_handler;
static sigjmp_buf way_out;

static void interrupted_receive(int fd, bool subject) {
  if (!subject) {
    yield();
    nap(400);
    write_exactly(fd, "late", 4);
    await_turn();
    return;
  }
  on_signal(SIGALRM, 0);
  alarm_in(150);
  tell("without SA_RESTART", read(fd, buffer, 10));
  alarm_in(150);
  tell("again", recv(fd, buffer, 10, MSG_WAITALL));
  on_signal(SIGALRM, SA_RESTART);
  hand_over();
  alarm_in(150);
  tell("with SA_RESTART", read(fd, buffer, 10));
  say("signals %d", (int)signals_seen);
  hand_over();
}

// A socket that takes no more, so that part of a record waits in memory.
static void interrupted_receive_behind_output(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    yield();
    nap(400);
    write_exactly(fd, "late", 4);
    drain(fd, NULL);
    await_turn();
    return;
  }
  do {
    while (send(fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
    }
  } while (poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 200) == 1);
  on_signal(SIGBUS, 0);  // a crash handler, of which no call hears
  on_signal(SIGALRM, 0);
  alarm_in(150);
  tell("without SA_RESTART", read(fd, buffer, 10));
  on_signal(SIGALRM, SA_RESTART);
  hand_over();
  alarm_in(150);
  tell("with SA_RESTART", read(fd, buffer, 10));
  say("signals %d", (int)signals_seen);
  shutdown(fd, SHUT_WR);
  hand_over();
}

static void interrupted_send(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    yield();
    nap(500);
    uint64_t total;
    report(drain(fd, &total));
    report(total);
    await_turn();
    return;
  }
  on_signal(SIGALRM, 0);
  fill_stream((uint8_t*)buffer, sizeof buffer, 0);
  uint64_t sum = 0, total = 0;
  ssize_t sent;
  for (;;) {
    alarm_in(200);
    if ((sent = write(fd, buffer, sizeof buffer)) < 0) break;
    sum = checksum(sum, (uint8_t*)buffer, (size_t)sent);
    total += (uint64_t)sent;
  }
  tell("full", sent);
  hand_over();
  on_signal(SIGALRM, SA_RESTART);
  alarm_in(100);
  sent = write(fd, buffer, sizeof buffer);
  say("%s", sent == (ssize_t)sizeof buffer ? "whole" : "part");
  sum = checksum(sum, (uint8_t*)buffer, sent > 0 ? (size_t)sent : 0);
  total += sent > 0 ? (uint64_t)sent : 0;
  shutdown(fd, SHUT_WR);
  say("%s", reported() == sum ? "same" : "other");
  say("%s", reported() == total ? "all" : "not all");
  hand_over();
}

static void handler_writes(int number) {
  (void)number;
  int error = errno;
  if (write(socket_of_handler, "tick", 4) == 4) ++signals_seen;
  errno = error;
}

// A handler that writes while the program is asleep in a read.
static void writes_from_handler(int fd, bool subject) {
  if (!subject) {
    hand_over();
    report((uint64_t)read_exactly(fd, buffer, 12));
    write_exactly(fd, "go", 2);
    await_turn();
    return;
  }
  socket_of_handler = fd;
  struct sigaction action = {.sa_handler = handler_writes, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 30000}, {0, 30000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  tell("read", read(fd, buffer, 10));
  timer = (struct itimerval){0};
  setitimer(ITIMER_REAL, &timer, NULL);
  say("%lu %d", (unsigned long)reported(), signals_seen >= 3);
  hand_over();
}

static void handler_does_all(int number) {
  (void)number;
  int error = errno;
  char one;
  ssize_t got = recv(socket_of_handler, &one, 1, MSG_DONTWAIT);
  if (got == 1 && write(socket_of_handler, &one, 1) != 1) ++signals_seen;
  errno = error;
}

// A handler that reads and writes at any moment: nothing is lost or doubled but by
// the handler's own doing, and nothing hangs.
static void stormed(int fd, bool subject) {
  if (!subject) {
    hand_over();
    uint64_t total;
    drain(fd, &total);
    report(total > 0);
    await_turn();
    return;
  }
  socket_of_handler = fd;
  struct sigaction action = {.sa_handler = handler_does_all, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 300}, {0, 300}};
  setitimer(ITIMER_REAL, &timer, NULL);
  bool ok = true;
  for (int i = 0; i < 400 && ok; ++i) {
    for (size_t sent = 0; sent < 30000;) {
      ssize_t got = write(fd, buffer, 30000 - sent);
      if (got < 0 && errno != EINTR && errno != EAGAIN) ok = false;
      if (got < 0 && !ok) break;
      sent += got > 0 ? (size_t)got : 0;
    }
    recv(fd, buffer, 100, MSG_DONTWAIT);
  }
  timer = (struct itimerval){0};
  setitimer(ITIMER_REAL, &timer, NULL);
  say("%s", ok ? "survived" : "broken");
  shutdown(fd, SHUT_WR);
  say("%lu", (unsigned long)reported());
  hand_over();
}

static void jump(int number) {
  (void)number;
  siglongjmp(way_out, 1);
}

static __attribute__((noinline)) long read_deeper(int fd, char* into, int depth) {
  char room[512];
  if (depth > 0) {
    long got = read_deeper(fd, room, depth - 1);
    into[0] = room[0];
    return got;
  }
  return read(fd, into, 1);
}

static void jumps_out_of_read(int fd, bool subject) {
  if (!subject) {
    hand_over();
    nap(600);
    write_exactly(fd, "abcdef", 6);
    await_turn();
    return;
  }
  signal(SIGALRM, jump);
  if (sigsetjmp(way_out, 1) == 0) {
    alarm_in(100);
    tell("never", read_deeper(fd, buffer, 10));
  }
  if (sigsetjmp(way_out, 1) == 0) {
    alarm_in(100);
    tell("never", read(fd, buffer, 10));
  }
  tell("read", read(fd, buffer, 2));
  tell("read", read_deeper(fd, buffer, 5));
  say("%c", buffer[0]);
  tell("read", read(fd, buffer, 10));
  tell("write", write(fd, "x", 1));
  hand_over();
}

static void jumps_out_of_connect(int fd, bool subject) {
  (void)fd;
  if (!subject) {
    int number = port;
    int listener = make_listener(&number);
    report((uint64_t)number);
    yield();
    close(listener);
    return;
  }
  int number = (int)reported();
  // Nobody accepts: plain TCP connects, and the read waits.
  signal(SIGALRM, jump);
  volatile int s = -1;
  if (sigsetjmp(way_out, 1) == 0) {
    alarm_in(300);
    s = make_client(number);
    if (s >= 0) read(s, buffer, 1);
  }
  say("out");
  if (s >= 0)
    tell("close", close(s));
  else
    say("close: 0");
  hand_over();
}

// ---- a send that its thread leaves ----

static uint8_t stream[4 << 20];

// Whether what comes is the beginning of the stream, and then the word.
static bool hears_beginning_and(int fd, const char* word) {
  static uint8_t heard[sizeof stream + 100];
  const size_t length = read_exactly(fd, heard, sizeof heard), tail = strlen(word);
  fill_stream(stream, sizeof stream, 0);
  return length > tail && length < sizeof stream && memcmp(heard, stream, length - tail) == 0 &&
         memcmp(heard + length - tail, word, tail) == 0;
}

static void* send_stream(void* fd) {
  return (void*)(intptr_t)write(*(int*)fd, stream, sizeof stream);
}

static void left_in_send(int fd, bool subject, bool by_jump) {
  small_buffers(fd);
  if (!subject) {
    yield();
    report(hears_beginning_and(fd, "and on"));
    await_turn();
    return;
  }
  fill_stream(stream, sizeof stream, 0);
  if (by_jump) {
    signal(SIGALRM, jump);
    if (sigsetjmp(way_out, 1) == 0) {
      alarm_in(200);
      tell("never", write(fd, stream, sizeof stream));
    }
  } else {
    pthread_t thread;
    void* result;
    pthread_create(&thread, NULL, send_stream, &fd);
    nap(200);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    say("%s", result == PTHREAD_CANCELED ? "cancelled" : "ended");
  }
  hand_over();
  tell("write", write(fd, "and on", 6));
  tell("shutdown", shutdown(fd, SHUT_WR));
  say("heard: %d", (int)reported());
  hand_over();
}

static void jumps_out_of_send(int fd, bool subject) { left_in_send(fd, subject, true); }
static void cancelled_in_send(int fd, bool subject) { left_in_send(fd, subject, false); }

// ---- signals while a stream comes as fast as it can ----

enum { rounds = 24, piece = 1 << 16 };

static void start_ticking(int microseconds) {
  struct itimerval time = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &time, NULL);
}

// Reads those rounds of the stream; each call may be interrupted, and nothing else.
static bool reads_rounds(int fd) {
  for (uint64_t at = 0; at < (uint64_t)rounds * sizeof stream;) {
    const size_t left = sizeof stream - (size_t)(at % sizeof stream);
    const ssize_t got = read(fd, buffer, left < piece ? left : piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || memcmp(buffer, stream + at % sizeof stream, (size_t)got) != 0) return false;
    at += (uint64_t)got;
  }
  return true;
}

static void interrupted_in_a_fast_stream(int fd, bool subject) {
  fill_stream(stream, sizeof stream, 0);
  if (!subject) {
    hand_over();
    for (int i = 0; i < rounds; ++i)
      for (size_t at = 0; at < sizeof stream; at += piece) write_exactly(fd, stream + at, piece);
    await_turn();
    write_exactly(fd, "late", 4);
    await_turn();
    return;
  }
  on_signal(SIGALRM, 0);
  start_ticking(700);
  say("%s", reads_rounds(fd) ? "same" : "other");
  tell("at its end", read(fd, buffer, piece));
  start_ticking(0);
  say("%s", signals_seen > 0 ? "interrupted" : "left alone");
  hand_over();
  tell("and on", (long)read_exactly(fd, buffer, 4));
  hand_over();
}

const struct scenario signal_cases[] = {
    {"jumps_out_of_send", jumps_out_of_send, false},
    {"cancelled_in_send", cancelled_in_send, false},
    {"interrupted_receive", interrupted_receive, false},
    {"interrupted_receive_behind_output", interrupted_receive_behind_output, false},
    {"interrupted_in_a_fast_stream", interrupted_in_a_fast_stream, false},
    {"interrupted_send", interrupted_send, false},
    {"writes_from_handler", writes_from_handler, false},
    {"stormed", stormed, false},
    {"jumps_out_of_read", jumps_out_of_read, false},
    {"jumps_out_of_connect", jumps_out_of_connect, true},
    {0}};
