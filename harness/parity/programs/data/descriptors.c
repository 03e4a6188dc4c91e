#include <spawn.h>

#include "parity.h"

extern char** environ;
static char buffer[1000];

static void ping(int fd, const char* what) {
  char answer[4];
  bool ok = write_exactly(fd, "ping", 4) && read_exactly(fd, answer, 4) == 4;
  say("%s: %s", what, ok && memcmp(answer, "ping", 4) == 0 ? "pong" : "nothing");
}

static void echo(int fd) {
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
    write_exactly(fd, buffer, (size_t)got);
}

// The peer of all cases here: echoes to the end, and says how that came.
static void serve(int fd) {
  hand_over();
  ssize_t got;
  while ((got = read(fd, buffer, sizeof buffer)) > 0) write_exactly(fd, buffer, (size_t)got);
  report(got == 0);
  await_turn();
}

static void finish(void) {
  say("clean end: %lu", (unsigned long)reported());
  hand_over();
}

static void duplicates(int fd, bool subject) {
  if (!subject) {
    serve(fd);
    return;
  }
  ping(fd, "first");
  int copy = dup(fd);
  close(fd);
  ping(copy, "dup");
  tell("old", write(fd, "x", 1));
  tell("dup2", dup2(copy, 100));
  ping(100, "dup2");
  close(copy);
  ping(100, "last");
  tell("dup3", dup3(100, 101, O_CLOEXEC));
  say("%d %d", fcntl(100, F_GETFD), fcntl(101, F_GETFD) == FD_CLOEXEC);
  tell("dup3 same", dup3(101, 101, 0));
  tell("dup2 same", dup2(101, 101));
  tell("F_DUPFD", fcntl(101, F_DUPFD, 200));
  tell("F_DUPFD_CLOEXEC", fcntl(200, F_DUPFD_CLOEXEC, 200));
  close(100);
  close(101);
  ping(200, "200");
  close(200);
  ping(201, "201");
  tell("dup of none", dup(200));
  close(201);
  finish();
}

// A dup2 that fails must leave what it would have closed as it was.
static void failing_dup2(int fd, bool subject) {
  if (!subject) {
    serve(fd);
    return;
  }
  tell("bad source", dup2(999, fd));
  ping(fd, "after");
  tell("negative", dup2(-1, fd));
  tell("bad flags", dup3(1, fd, 12345));
  ping(fd, "after");
  tell("bad target", dup2(fd, -1));
  ping(fd, "after");
  close(fd);
  finish();
}

static void overwritten(int fd, bool subject) {
  if (!subject) {
    serve(fd);
    return;
  }
  ping(fd, "before");
  int ends[2];
  if (pipe(ends) != 0) return;
  tell("dup2 over it", dup2(ends[1], fd) == fd);
  tell("write to the pipe", write(fd, "pipe", 4));
  tell("read", read(ends[0], buffer, 10));
  say("%.4s", buffer);
  finish();
}

static void flags(int fd, bool subject) {
  if (!subject) {
    serve(fd);
    return;
  }
  say("%d", fcntl(fd, F_GETFD));
  tell("set", fcntl(fd, F_SETFD, FD_CLOEXEC));
  say("%d", fcntl(fd, F_GETFD));
  tell("clear", fcntl(fd, F_SETFD, 0));
  say("%d", fcntl(fd, F_GETFD));
  tell("FIOCLEX", ioctl(fd, FIOCLEX));
  say("%d", fcntl(fd, F_GETFD));
  tell("FIONCLEX", ioctl(fd, FIONCLEX));
  say("%d", fcntl(fd, F_GETFD));
  tell("close_range", close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_CLOEXEC));
  say("%d", fcntl(fd, F_GETFD));
  int one = 1;
  tell("FIONBIO", ioctl(fd, FIONBIO, &one));
  say("%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  tell("read", read(fd, buffer, 1));
  set_blocking(fd, true);
  ping(fd, "after");
  close(fd);
  finish();
}

static void ranges(int fd, bool subject) {
  if (!subject) {
    serve(fd);
    return;
  }
  tell("up", dup2(fd, 300));
  tell("up", dup2(fd, 301));
  close(fd);
  tell("close_range", close_range(301, 400, 0));
  ping(300, "left");
  tell("closed", write(301, "x", 1));
  tell("of a kind that is not", close_range(300, 300, 1 << 10));
  ping(300, "left");
  closefrom(300);
  tell("closed", write(300, "x", 1));
  finish();
}

// Control messages that the kernel refuses are not read past their end.
static void malformed_messages(int fd, bool subject) {
  if (!subject) {
    serve(fd);
    return;
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return;
  struct {
    struct cmsghdr head;
    int numbers[2];
  } control = {{.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}, {fd, fd}};
  struct iovec piece = {"x", 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control};
  message.msg_controllen = sizeof control;
  const size_t lengths[] = {0, 1, CMSG_LEN(0) - 1, CMSG_LEN(0), sizeof control + 1, SIZE_MAX};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
    control.head.cmsg_len = lengths[i];
    tell("malformed", sendmsg(ends[0], &message, 0));
  }
  message.msg_control = (void*)(intptr_t)1;
  tell("wild", sendmsg(ends[0], &message, 0));
  struct mmsghdr several = {.msg_hdr = message};
  tell("wild ones", sendmmsg(ends[0], &several, 1, 0));
  ping(fd, "left");
  close(fd);
  finish();
}

static void high_numbers(int fd, bool subject) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (!subject) {
    serve(fd);
    return;
  }
  int high = limit.rlim_cur > 70001 ? 70000 : (int)limit.rlim_cur - 2;
  say("%d", dup2(fd, high) == high);
  close(fd);
  ping(high, "high");
  close(high);
  finish();
}

// Children that close everything, in their own memory or in borrowed one.
static void children(int fd, bool subject) {
  if (!subject) {
    serve(fd);
    return;
  }
  ping(fd, "before");
  tell("system", system("exit 3") >> 8);
  ping(fd, "after system");
  FILE* stream = popen("echo hello", "r");
  say("%s", fgets(buffer, sizeof buffer, stream) != NULL ? buffer : "nothing");
  pclose(stream);
  ping(fd, "after popen");
  pid_t child;
  char* words[] = {"true", NULL};
  tell("posix_spawn", posix_spawnp(&child, "true", NULL, NULL, words, environ));
  waitpid(child, NULL, 0);
  ping(fd, "after posix_spawn");
  child = vfork();
  if (child == 0) {
    for (int number = 3; number < 50; ++number) close(number);
    execlp("true", "true", (char*)NULL);
    _exit(1);
  }
  waitpid(child, NULL, 0);
  ping(fd, "after vfork");
  child = fork();
  if (child == 0) {
    close_range(3, ~0u, 0);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  ping(fd, "after fork");
  child = fork();
  if (child == 0) {
    execlp("true", "true", (char*)NULL);
    _exit(1);
  }
  waitpid(child, NULL, 0);
  ping(fd, "after exec");
  child = fork();
  if (child == 0) {
    nap(10000);
    _exit(1);
  }
  nap(50);
  kill(child, SIGKILL);
  nap(50);
  ping(fd, "after a kill, not yet reaped");
  close(fd);
  finish();
  waitpid(child, NULL, 0);
}

// A helper that lives on after exec does not keep the connection open.
static void long_lived_helper(int fd, bool subject) {
  if (!subject) {
    serve(fd);
    return;
  }
  ping(fd, "before");
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  pid_t child = fork();
  if (child == 0) {
    execlp("sleep", "sleep", "30", (char*)NULL);
    _exit(1);
  }
  nap(200);
  close(fd);
  finish();
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void reused_numbers(int unused, bool subject) {
  (void)unused;
  enum { rounds = 60 };
  if (is_server) {
    int listener = make_listener(&port);
    hand_over();
    for (int i = 0; i < rounds; ++i) {
      int fd = accept(listener, NULL, NULL);
      echo(fd);
      close(fd);
    }
    close(listener);
    await_turn();
    if (subject) say("served");
    if (subject) hand_over();
    return;
  }
  await_turn();
  int good = 0;
  for (int i = 0; i < rounds; ++i) {
    int fd = make_client(port);
    char in[3];
    good += write_exactly(fd, "abc", 3) && read_exactly(fd, in, 3) == 3;
    close(fd);
    int ends[2];
    if (pipe(ends) != 0) break;
    good += write(ends[1], "abc", 3) == 3 && read(ends[0], in, 3) == 3;
    close(ends[0]);
    close(ends[1]);
  }
  if (subject) say("good %d", good);
  hand_over();
  if (!subject) await_turn();
}

const struct scenario descriptor_cases[] = {{"duplicates", duplicates, false},
                                            {"failing_dup2", failing_dup2, false},
                                            {"overwritten", overwritten, false},
                                            {"flags", flags, false},
                                            {"ranges", ranges, false},
                                            {"malformed_messages", malformed_messages, false},
                                            {"high_numbers", high_numbers, false},
                                            {"children", children, false},
                                            {"long_lived_helper", long_lived_helper, false},
                                            {"reused_numbers", reused_numbers, true},
                                            {0}};
