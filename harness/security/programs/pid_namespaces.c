/* A server whose child lives in a PID namespace of its own, as vsftpd, sandboxes and container
 * tools make them: to each, the other's process and thread ids mean nothing.
 *
 * usage: pid_namespaces PORT MODE, which takes one client and reads a greeting of it:
 *   close    the child closes its copy and ends, then the parent writes
 *   parent   the parent closes its copy, then the child writes
 *   both     both write eight MiB at once, the parent under a timer whose signals cut sends off
 *   asleep   the child sleeps in read(2), the parent is told EAGAIN; the child is killed, and the
 *            parent reads
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int pipe_ends[2];

static void nothing(int signal) { (void)signal; }

static void require(int condition, const char* what) {
  if (condition) return;
  printf("%s: %s\n", what, strerror(errno));
  exit(1);
}

static void say(int fd, const char* what) {
  const ssize_t got = write(fd, what, strlen(what));
  printf("write %zd\n", got);
}

/* Each 16 bytes say who wrote them and where in his stream they lie. */
static void fill(int fd, char who, int mib) {
  static char block[1 << 20];
  for (int i = 0; i < mib; ++i) {
    for (size_t at = 0; at < sizeof block; at += 16) {
      char word[32];
      snprintf(word, sizeof word, "%c%07d%08zu", who, i, at);
      memcpy(block + at, word, 16);
    }
    for (size_t done = 0; done < sizeof block;) {
      const ssize_t got = write(fd, block + done, sizeof block - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        printf("%c %s\n", who, strerror(errno));
        return;
      }
      done += (size_t)got;
    }
  }
  printf("%c done\n", who);
}

static void wait_for(const char* wanted) {
  char got = 0;
  require(read(pipe_ends[0], &got, 1) == 1 && got == *wanted, "wait");
}

static void tell(const char* what) { require(write(pipe_ends[1], what, 1) == 1, "tell"); }

static pid_t fork_apart(void) {
  require(pipe(pipe_ends) == 0, "pipe");
  require(unshare(CLONE_NEWPID) == 0, "unshare");
  const pid_t child = fork();
  require(child >= 0, "fork");
  return child;
}

static void close_in_child(int fd) {
  const pid_t child = fork_apart();
  if (child == 0) {
    close(fd);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  say(fd, "from the parent");
}

static void close_in_parent(int fd) {
  const pid_t child = fork_apart();
  if (child == 0) {
    wait_for("c");
    say(fd, "from the child");
    _exit(0);
  }
  close(fd);
  tell("c");
  waitpid(child, NULL, 0);
}

static void write_in_both(int fd) {
  const pid_t child = fork_apart();
  if (child == 0) {
    fill(fd, 'B', 8);
    _exit(0);
  }
  const struct sigaction tick = {.sa_handler = nothing};
  sigaction(SIGALRM, &tick, NULL);
  const struct itimerval often = {{0, 20000}, {0, 20000}};
  setitimer(ITIMER_REAL, &often, NULL);
  fill(fd, 'A', 8);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
}

static void sleep_in_child(int fd) {
  char text[100];
  const pid_t child = fork_apart();
  if (child == 0) {
    tell("s");
    (void)!read(fd, text, sizeof text);
    _exit(0);
  }
  wait_for("s");
  usleep(300000); /* now it is asleep, or will be soon: the answer is the same */
  ssize_t got = recv(fd, text, sizeof text, MSG_DONTWAIT);
  printf("recv %zd %s\n", got, got < 0 ? strerror(errno) : "");
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  say(fd, "go on");
  got = read(fd, text, sizeof text);
  printf("read %zd\n", got);
}

int main(int argc, char** argv) {
  setbuf(stdout, NULL);
  signal(SIGPIPE, SIG_IGN);
  if (argc != 3) return 2;
  const int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)atoi(argv[1])),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  require(bind(listener, (const void*)&address, sizeof address) == 0, "bind");
  require(listen(listener, 8) == 0, "listen");
  const int fd = accept(listener, NULL, NULL), small = 1 << 16;
  require(fd >= 0, "accept");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  char greeting[100];
  require(read(fd, greeting, sizeof greeting) > 0, "read");
  if (strcmp(argv[2], "close") == 0) close_in_child(fd);
  if (strcmp(argv[2], "parent") == 0) close_in_parent(fd);
  if (strcmp(argv[2], "both") == 0) write_in_both(fd);
  if (strcmp(argv[2], "asleep") == 0) sleep_in_child(fd);
  return 0;
}
