#include "parity.h"

static char buffer[100000];

// fork after accept: the child serves, the parent closes.
static void child_serves(int unused, bool subject) {
  (void)unused;
  enum { rounds = 8 };
  if (is_server) {
    int listener = make_listener(&port);
    hand_over();
    for (int i = 0; i < rounds; ++i) {
      int fd = accept(listener, NULL, NULL);
      if (fork() == 0) {
        close(listener);
        for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
          write_exactly(fd, buffer, (size_t)got);
        exit(0);
      }
      close(fd);
    }
    int good = 0, status;
    for (int i = 0; i < rounds; ++i) good += wait(&status) > 0 && status == 0;
    await_turn();
    if (subject) say("children %d", good);
    if (subject) hand_over();
    return;
  }
  await_turn();
  int good = 0, fds[rounds];
  for (int i = 0; i < rounds; ++i) fds[i] = make_client(port);
  for (int i = 0; i < rounds; ++i) {
    good += write_exactly(fds[i], buffer, 50000) && read_exactly(fds[i], buffer, 50000) == 50000;
    shutdown(fds[i], SHUT_WR);
    good += read(fds[i], buffer, 1) == 0;
    close(fds[i]);
  }
  if (subject) say("good %d", good);
  hand_over();
  if (!subject) await_turn();
}

// Several children accept on one listener.
static void preforked(int unused, bool subject) {
  (void)unused;
  enum { workers = 3, rounds = 12 };
  if (is_server) {
    int listener = make_listener(&port);
    pid_t children[workers];
    for (int i = 0; i < workers; ++i) {
      if ((children[i] = fork()) != 0) continue;
      for (;;) {
        int fd = accept(listener, NULL, NULL);
        ssize_t got = read(fd, buffer, sizeof buffer);
        write_exactly(fd, buffer, got > 0 ? (size_t)got : 0);
        close(fd);
      }
    }
    yield();
    for (int i = 0; i < workers; ++i) kill(children[i], SIGKILL);
    for (int i = 0; i < workers; ++i) waitpid(children[i], NULL, 0);
    if (subject) say("served");
    if (subject) hand_over();
    return;
  }
  await_turn();
  int good = 0;
  for (int i = 0; i < rounds; ++i) {
    int fd = make_client(port);
    good += write_exactly(fd, "hello", 5) && read_exactly(fd, buffer, 5) == 5;
    good += read(fd, buffer, 1) == 0;
    close(fd);
  }
  if (subject) say("good %d", good);
  hand_over();
  if (!subject) await_turn();
}

// Parent and child use an open connection in turns.
static void shared_open(int fd, bool subject) {
  if (!subject) {
    hand_over();
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) write_exactly(fd, buffer, (size_t)got);
    report(got == 0);
    await_turn();
    return;
  }
  int up[2], down[2];
  if (pipe(up) != 0 || pipe(down) != 0) return;
  char in[100];
  bool child = fork() == 0;
  if (child) {
    for (int i = 0; i < 50; ++i) {
      if (read(down[0], in, 1) != 1) _exit(1);
      if (!write_exactly(fd, "child", 5) || read_exactly(fd, in, 5) != 5 ||
          memcmp(in, "child", 5) != 0) {
        _exit(2);
      }
      if (write(up[1], "t", 1) != 1) _exit(3);
    }
    _exit(0);
  }
  int good = 0;
  for (int i = 0; i < 50; ++i) {
    good += write_exactly(fd, "parent", 6) && read_exactly(fd, in, 6) == 6 &&
            memcmp(in, "parent", 6) == 0;
    if (write(down[1], "t", 1) != 1 || read(up[0], in, 1) != 1) break;
  }
  int status = -1;
  wait(&status);
  say("good %d child %d", good, status);
  good = write_exactly(fd, "alone", 5) && read_exactly(fd, in, 5) == 5;
  say("alone %d", good);
  close(fd);
  say("clean end %lu", (unsigned long)reported());
  hand_over();
}

// Parent and child write at the same time; each write arrives whole or the peer
// sees an honest end. Every byte belongs to one of them.
static void shared_writers(int fd, bool subject) {
  if (!subject) {
    hand_over();
    uint64_t counts[2] = {0};
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
      for (ssize_t i = 0; i < got; ++i) ++counts[buffer[i] == 'c'];
    report(counts[0]);
    report(counts[1]);
    await_turn();
    return;
  }
  bool child = fork() == 0;
  memset(buffer, child ? 'c' : 'p', 1000);
  for (int i = 0; i < 2000; ++i)
    if (!write_exactly(fd, buffer, 1000)) say("refused");
  if (child) _exit(0);
  wait(NULL);
  close(fd);
  say("%lu %lu", (unsigned long)reported(), (unsigned long)reported());
  hand_over();
}

static void shared_reader_killed(int fd, bool subject) {
  if (!subject) {
    hand_over();
    nap(500);
    write_exactly(fd, "data", 4);
    await_turn();
    return;
  }
  pid_t child = fork();
  if (child == 0) {
    read(fd, buffer, 10);
    _exit(0);
  }
  nap(100);
  kill(child, SIGKILL);
  nap(50);
  tell("read", read(fd, buffer, 10));  // not reaped yet
  tell("write", write(fd, "x", 1));
  waitpid(child, NULL, 0);
  tell("close", close(fd));
  hand_over();
}

// The child goes on with a connection that was accepted but never used.
static void handshake_in_child(int unused, bool subject) {
  (void)unused;
  if (is_server) {
    int listener = make_listener(&port);
    hand_over();
    int fd = accept(listener, NULL, NULL);
    recv(fd, buffer, 1, MSG_DONTWAIT | MSG_PEEK);
    pid_t child = fork();
    if (child == 0) {
      long got = (long)read_exactly(fd, buffer, 5);
      write_exactly(fd, buffer, (size_t)got);
      _exit(0);
    }
    waitpid(child, NULL, 0);
    write_exactly(fd, "parent", 6);
    close(fd);
    await_turn();
    if (subject) say("served");
    if (subject) hand_over();
    return;
  }
  await_turn();
  int fd = make_client(port);
  bool ok = write_exactly(fd, "hello", 5) && read_exactly(fd, buffer, 11) == 11;
  ok = ok && memcmp(buffer, "helloparent", 11) == 0;
  if (subject) say("%d", ok && read(fd, buffer, 1) == 0);
  close(fd);
  hand_over();
  if (!subject) await_turn();
}

const struct scenario process_cases[] = {{"child_serves", child_serves, true},
                                         {"preforked", preforked, true},
                                         {"shared_open", shared_open, false},
                                         {"shared_writers", shared_writers, false},
                                         {"shared_reader_killed", shared_reader_killed, false},
                                         {"handshake_in_child", handshake_in_child, true},
                                         {0}};
