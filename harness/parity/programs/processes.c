/* What processes, signals and threads do with an open connection, case by case.

   processes CASE client|server PORT: forks before it makes a socket; the subject prints what it
   sees, the peer helps. Under Gaiter and on plain TCP the output must be the same. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in address;

static void check(int good, const char *what) {
  if (good) return;
  printf("%s: %s\n", what, strerrorname_np(errno) ? strerrorname_np(errno) : "failed");
  fflush(stdout);
  exit(1);
}

static int listener_socket(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  check(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  check(listen(fd, 20) == 0, "listen");
  return fd;
}

static int connected_socket(void) {
  for (;;) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    check(errno == ECONNREFUSED, "connect");
    close(fd);
    usleep(10000);
  }
}

/* A connection as client or server; a server first reads the line that a client first says, so
   that both ends are secure. */
static int listening = -1;
static int open_connection(int as_server) {
  char word[2];
  if (as_server) {
    if (listening < 0) listening = listener_socket();
    int fd = accept(listening, NULL, NULL);
    check(fd >= 0, "accept");
    check(recv(fd, word, 2, MSG_WAITALL) == 2, "first read");
    return fd;
  }
  int fd = connected_socket();
  check(send(fd, "hi", 2, 0) == 2, "first send");
  return fd;
}

static void read_exactly(int fd, char *buffer, size_t length) {
  for (size_t got = 0; got < length;) {
    ssize_t n = read(fd, buffer + got, length - got);
    check(n > 0, "read");
    got += (size_t)n;
  }
}

static void say_all(int fd, const char *text) {
  check(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

static unsigned pattern(unsigned long at) { return (unsigned)((at * 2654435761u) >> 13) & 255; }

/* ---- parent and child both use it ---- */

static void both_use_subject(int fd) {
  int to_child[2], to_parent[2];
  char turn, c;
  check(pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe");
  pid_t child = fork();
  int in = child ? to_parent[0] : to_child[0], out = child ? to_child[1] : to_parent[1];
  for (int i = 0; i < 50; i++) {
    if (!child || i) check(read(in, &turn, 1) == 1, "turn");
    char text[16];
    sprintf(text, "%c%02d", child ? 'P' : 'C', i);
    say_all(fd, text);
    check(write(out, "x", 1) == 1, "turn");
  }
  if (child) check(read(in, &turn, 1) == 1, "turn");
  char seen[51] = "";
  for (int i = 0; i < 50; i++) {
    if (!child || i) check(read(in, &turn, 1) == 1, "turn");
    read_exactly(fd, &c, 1);
    seen[i] = c;
    check(write(out, "x", 1) == 1, "turn");
  }
  if (!child) _exit(strspn(seen, "bdfhjlnprtvxz") == 50 ? 0 : 1);
  int status;
  waitpid(child, &status, 0);
  printf("parent read %s, child %s\n", seen, status == 0 ? "the others" : "something else");
  say_all(fd, "end");
  close(fd);
}
static void both_use_peer(int fd) {
  char text[301];
  read_exactly(fd, text, 300);
  text[300] = 0;
  int good = 1;
  for (int i = 0; i < 50; i++) {
    char wanted[8];
    sprintf(wanted, "P%02dC%02d", i, i);
    good &= memcmp(text + 6 * i, wanted, 6) == 0;
  }
  char out[101];
  for (int i = 0; i < 100; i++) out[i] = (char)('a' + i % 26);
  out[100] = 0;
  if (!good) out[0] = '!';
  say_all(fd, out);
  read_exactly(fd, text, 3);
  check(read(fd, text, 1) == 0, "end of file");
}

/* ---- parent and child write at once: each message arrives whole ---- */

static void race_subject(int fd) {
  char block[1000];
  pid_t child = fork();
  memset(block, child ? 'P' : 'C', sizeof block);
  for (int i = 0; i < 2000; i++) check(send(fd, block, sizeof block, 0) == sizeof block, "send");
  if (!child) _exit(0);
  waitpid(child, NULL, 0);
  shutdown(fd, SHUT_WR);
  char verdict[6] = "";
  read_exactly(fd, verdict, 5);
  printf("%s\n", verdict);
}
static void race_peer(int fd) {
  long counts[2] = {0, 0};
  char buffer[65536];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0)
    for (ssize_t i = 0; i < n; i++) counts[buffer[i] == 'P']++;
  say_all(fd, n == 0 && counts[0] == 2000000 && counts[1] == 2000000 ? "whole" : "torn!");
}

/* ---- a non-blocking writer, a slow reader, and a close right after the last write ---- */

static void slow_subject(int fd) {
  unsigned long total = 6 << 20, at = 0;
  static char buffer[200000];
  fcntl(fd, F_SETFL, O_NONBLOCK);
  srandom(7);
  while (at < total) {
    size_t length = 1 + (size_t)random() % sizeof buffer;
    if (length > total - at) length = total - at;
    for (size_t i = 0; i < length; i++) buffer[i] = (char)pattern(at + i);
    ssize_t n = write(fd, buffer, length);
    if (n > 0) at += (unsigned long)n;
    if (n < 0) {
      check(errno == EAGAIN, "write");
      struct pollfd wait = {fd, POLLOUT, 0};
      poll(&wait, 1, -1);
    }
  }
  close(fd);
  puts("written");
}
/* Until nothing more comes: what the other end writes has no room left. */
static void await_full_queue(int fd) {
  for (int before = -1, now = 0; now == 0 || now != before;) {
    before = now;
    usleep(20000);
    check(ioctl(fd, FIONREAD, &now) == 0, "FIONREAD");
  }
}
static void slow_peer(int fd) {
  unsigned long at = 0;
  char buffer[5000];
  ssize_t n;
  await_full_queue(fd);
  while ((n = read(fd, buffer, 1 + at % sizeof buffer)) > 0) {
    for (ssize_t i = 0; i < n; i++) check((unsigned char)buffer[i] == pattern(at + (unsigned long)i), "pattern");
    at += (unsigned long)n;
    if (at % 7 == 0) usleep(100);
  }
  printf("peer read %lu, then %zd\n", at, n);
}

/* ---- a process that ends without closing ---- */

static void quit_subject(int fd) {
  say_all(fd, "last words");
  exit(0);
}
static void bare_quit_subject(int fd) {
  say_all(fd, "last words");
  _exit(0);
}
static void quit_peer(int fd) {
  char text[100];
  read_exactly(fd, text, 10);
  ssize_t n = read(fd, text, 1);
  printf("then %zd\n", n);
}

/* ---- signals ---- */

static sigjmp_buf back;
static void jump(int number) { siglongjmp(back, number); }
static void longjmp_subject(int fd) {
  char word[4] = "";
  signal(SIGALRM, jump);
  for (int i = 0; i < 3; i++) {
    if (sigsetjmp(back, 1) == 0) {
      ualarm(30000, 0);
      printf("read gave %zd?\n", read(fd, word, 3));
    }
  }
  signal(SIGALRM, SIG_IGN);
  say_all(fd, "go");
  read_exactly(fd, word, 3);
  printf("after three jumps: %s\n", word);
}
static void longjmp_peer(int fd) {
  char word[2];
  read_exactly(fd, word, 2);
  say_all(fd, "yes");
}

static int handler_fd;
static void write_from_handler(int number) {
  (void)number;
  if (write(handler_fd, "go", 2) != 2) abort();
}
static void handler_subject(int fd) {
  struct sigaction action = {.sa_handler = write_from_handler, .sa_flags = SA_RESTART};
  char word[4] = "";
  handler_fd = fd;
  sigaction(SIGALRM, &action, NULL);
  ualarm(50000, 0);
  read_exactly(fd, word, 3);
  printf("woken by %s\n", word);
}

/* ---- threads ---- */

static volatile pid_t reader;
static void *reads_for_ever(void *argument) {
  char c;
  reader = gettid();
  for (;;) check(recv(*(int *)argument, &c, 1, 0) == 1, "recv");
}
static void await_sleep_of_reader(void) {
  char path[64], state = 0;
  while (reader == 0) usleep(1000);
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", reader);
  for (int calm = 0; calm < 3; usleep(5000)) {
    FILE *stat = fopen(path, "r");
    check(stat != NULL && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1, "stat");
    fclose(stat);
    calm = state == 'S' ? calm + 1 : 0;
  }
}
static void cancel_subject(int fd) {
  pthread_t thread;
  void *result;
  char word[4] = "";
  pthread_create(&thread, NULL, reads_for_ever, &fd);
  await_sleep_of_reader();
  pthread_cancel(thread);
  pthread_join(thread, &result);
  say_all(fd, "go");
  read_exactly(fd, word, 3);
  printf("cancelled: %d, then %s\n", result == PTHREAD_CANCELED, word);
}

/* ---- numbers ---- */

static void numbers_subject(int fd) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (geteuid() == 0) limit.rlim_max = 80000; /* may be refused all the same */
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  int wanted = limit.rlim_cur > 70000 ? 70000 : 1000;
  int high = fcntl(fd, F_DUPFD, wanted);
  check(high >= wanted, "F_DUPFD");
  close(fd);
  int file = open("/dev/null", O_RDWR);
  printf("number reused: %d\n", file == fd);
  say_all(file, "not for the peer");
  say_all(high, "go");
  char word[4] = "";
  read_exactly(high, word, 3);
  check(system("exit 3") != -1, "system");
  FILE *pipe = popen("echo from a child", "r");
  char line[100] = "";
  check(fgets(line, sizeof line, pipe) != NULL, "popen");
  pclose(pipe);
  say_all(high, "end");
  check(close(high) == 0, "close");
  printf("%s, %s", word, line);
}
static void numbers_peer(int fd) {
  char word[4];
  longjmp_peer(fd);
  read_exactly(fd, word, 3);
  printf("then %zd\n", read(fd, word, 1));
}

static void many_subject(int fd) {
  close(fd);
  int server = listening >= 0;
  for (int i = 0; i < 100; i++) {
    int again = open_connection(server);
    char word[4] = "";
    say_all(again, "go");
    read_exactly(again, word, 3);
    check(strcmp(word, "yes") == 0, "answer");
    close(again);
  }
  puts("a hundred times");
}
static void many_peer(int fd) {
  char c;
  check(read(fd, &c, 1) == 0, "first close");
  close(fd);
  int server = listening >= 0;
  for (int i = 0; i < 100; i++) {
    int again = open_connection(server);
    longjmp_peer(again);
    check(read(again, &c, 1) == 0, "close");
    close(again);
  }
}

static const struct {
  const char *name;
  void (*subject)(int), (*peer)(int);
} cases[] = {
    {"parent_and_child_take_turns", both_use_subject, both_use_peer},
    {"parent_and_child_write_at_once", race_subject, race_peer},
    {"slow_reader_and_early_close", slow_subject, slow_peer},
    {"exit_without_close", quit_subject, quit_peer},
    {"bare_exit_without_close", bare_quit_subject, quit_peer},
    {"longjmp_out_of_read", longjmp_subject, longjmp_peer},
    {"handler_writes_while_reading", handler_subject, longjmp_peer},
    {"cancelled_reader", cancel_subject, longjmp_peer},
    {"numbers_and_children", numbers_subject, numbers_peer},
    {"many_connections", many_subject, many_peer},
};

int main(int count, char **arguments) {
  if (count == 1) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) puts(cases[i].name);
    return 0;
  }
  int subject_serves = strcmp(arguments[2], "server") == 0;
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(arguments[3]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (strcmp(cases[i].name, arguments[1]) != 0) continue;
    pid_t peer = fork();
    int fd = open_connection(peer == 0 ? !subject_serves : subject_serves);
    if (peer == 0) {
      cases[i].peer(fd);
      return 0;
    }
    pid_t subject = fork(); /* so that one that exits can be waited for */
    if (subject == 0) {
      cases[i].subject(fd);
      return 0;
    }
    close(fd);
    int status = 0, worst = 0;
    while (wait(&status) > 0) worst |= status;
    printf("status %d\n", worst);
    return 0;
  }
  return 2;
}
