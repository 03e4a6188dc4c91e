#include "parity.h"

static char buffer[200000];

static void told_of_pipe(int number) {
  (void)number;
  static const char text[] = "SIGPIPE\n";
  if (write(1, text, sizeof text - 1) < 0) _exit(9);
}

static void after_own_shutdown(int fd, bool subject) {
  if (!subject) {
    hand_over();
    report(read(fd, buffer, 10) != 0);
    write_exactly(fd, "still here", 10);
    await_turn();
    return;
  }
  signal(SIGPIPE, told_of_pipe);
  tell("shutdown", shutdown(fd, SHUT_WR));
  tell("again", shutdown(fd, SHUT_WR));
  tell("write", write(fd, "x", 1));
  tell("quietly", send(fd, "x", 1, MSG_NOSIGNAL));
  tell("zero", send(fd, "", 0, MSG_NOSIGNAL));
  tell("writev", writev(fd, &(struct iovec){"x", 1}, 1));
  tell("writev zero", writev(fd, &(struct iovec){"", 0}, 1));
  say("peer saw %lu", (unsigned long)reported());
  tell("read", (long)read_exactly(fd, buffer, 10));
  tell("bad how", shutdown(fd, 7));
  hand_over();
}

static void after_peer_closed(int fd, bool subject) {
  if (!subject) {
    write_exactly(fd, "last", 4);
    close(fd);
    yield();
    return;
  }
  signal(SIGPIPE, told_of_pipe);
  nap(50);
  tell("read", read(fd, buffer, 10));
  tell("end", read(fd, buffer, 10));
  tell("end", read(fd, buffer, 10));
  tell("write", write(fd, "x", 1));
  nap(100);
  tell("write", write(fd, "x", 1));
  tell("quietly", send(fd, "x", 1, MSG_NOSIGNAL));
  tell("read", read(fd, buffer, 10));
  int error = -1;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  say("SO_ERROR %d", error);
  hand_over();
}

static void reset_by_peer(int fd, bool subject) {
  if (!subject) {
    yield();
    struct linger abort = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(fd);
    yield();
    return;
  }
  signal(SIGPIPE, told_of_pipe);
  yield();
  nap(50);
  tell("read", read(fd, buffer, 10));
  tell("read", read(fd, buffer, 10));
  tell("write", write(fd, "x", 1));
  hand_over();
}

static void reset_seen_by_poll(int fd, bool subject) {
  if (!subject) {
    yield();
    struct linger abort = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(fd);
    yield();
    return;
  }
  yield();
  struct pollfd one = {fd, POLLIN | POLLOUT, 0};
  nap(50);
  tell("poll", poll(&one, 1, 5000));
  say("%s%s%s", one.revents & POLLIN ? "in " : "", one.revents & POLLERR ? "err " : "",
      one.revents & POLLHUP ? "hup" : "");
  tell("read", read(fd, buffer, 10));
  tell("read", read(fd, buffer, 10));
  hand_over();
}

static void half_close_both(int fd, bool subject) {
  if (!subject) {
    write_exactly(fd, "from peer", 9);
    shutdown(fd, SHUT_WR);
    yield();
    report((uint64_t)read_exactly(fd, buffer, 100));
    await_turn();
    return;
  }
  tell("read", (long)read_exactly(fd, buffer, 9));
  tell("end", read(fd, buffer, 10));
  tell("write", write(fd, "still writing", 13));
  tell("shutdown", shutdown(fd, SHUT_WR));
  hand_over();
  say("%lu", (unsigned long)reported());
  tell("end", read(fd, buffer, 10));
  tell("close", close(fd));
  tell("again", close(fd));
  hand_over();
}

static void stops_reading(int fd, bool subject) {
  if (!subject) {
    write_exactly(fd, "before", 6);
    yield();
    return;
  }
  readable(fd, 5000);
  tell("shutdown", shutdown(fd, SHUT_RD));
  tell("what came", read(fd, buffer, 100));
  tell("then", read(fd, buffer, 100));
  tell("write", write(fd, "x", 1));
  hand_over();
}

static void shuts_both(int fd, bool subject) {
  if (!subject) {
    yield();
    report((uint64_t)read(fd, buffer, 10));
    report((uint64_t)read(fd, buffer, 10));
    await_turn();
    return;
  }
  tell("write", write(fd, "bye", 3));
  tell("shutdown", shutdown(fd, SHUT_RDWR));
  tell("read", read(fd, buffer, 10));
  tell("write", send(fd, "x", 1, MSG_NOSIGNAL));
  hand_over();
  say("%lu %lu", (unsigned long)reported(), (unsigned long)reported());
  hand_over();
}

// The reader: how much came, and what a read behind it says.
static void expect(int fd, size_t length) {
  hand_over();
  report((uint64_t)read_exactly(fd, buffer, length));
  report((uint64_t)read(fd, buffer, 1));
  await_turn();
}

static void say_what_came(void) {
  say("%lu %ld", (unsigned long)reported(), (long)reported());
  hand_over();
}

static void ends_with(int fd, bool subject, void (*end)(int)) {
  if (!subject) return expect(fd, 100000);
  pid_t child = fork();
  if (child == 0) {
    write_exactly(fd, buffer, 100000);
    end(0);
  }
  close(fd);
  waitpid(child, NULL, 0);
  say_what_came();
}

static void ends_without_close(int fd, bool subject) { ends_with(fd, subject, exit); }

static void ends_at_once(int fd, bool subject) { ends_with(fd, subject, _exit); }

static void lingers(int fd, bool subject) {
  if (!subject) return expect(fd, 50000);
  struct linger patience = {1, 5};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &patience, sizeof patience);
  write_exactly(fd, buffer, 50000);
  tell("close", close(fd));
  say_what_came();
}

const struct scenario end_cases[] = {{"after_own_shutdown", after_own_shutdown, false},
                                     {"after_peer_closed", after_peer_closed, false},
                                     {"reset_by_peer", reset_by_peer, false},
                                     {"reset_seen_by_poll", reset_seen_by_poll, false},
                                     {"half_close_both", half_close_both, false},
                                     {"stops_reading", stops_reading, false},
                                     {"shuts_both", shuts_both, false},
                                     {"ends_without_close", ends_without_close, false},
                                     {"ends_at_once", ends_at_once, false},
                                     {"lingers", lingers, false},
                                     {0}};
