#include "end.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int fds[slots];
int epoll_fd = -1, outer_fd = -1;
uint64_t sent[connections];
unsigned patience = 20;
_Thread_local uint8_t* buffer;
_Thread_local char answer[4096];

static int listener = -1;
static uint16_t port;

static void close_all(void) {
  memset(sent, 0, sizeof sent);
  for (int i = 0; i < slots; i++) {
    if (fds[i] >= 0) close(fds[i]);
    fds[i] = -1;
  }
  if (epoll_fd >= 0) close(epoll_fd);
  if (outer_fd >= 0) close(outer_fd);
  epoll_fd = outer_fd = -1;
}

// What is sent has arrived when the call returns: no Nagle, and no pacing (BBR).
static void send_at_once(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

// Both ends have spoken and heard, so whatever comes before data is over.
static void open_client(int slot) {
  struct sockaddr_in there = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char byte = 'a';
  const int fd = fds[slot] = socket(AF_INET, SOCK_STREAM, 0);
  int result = connect(fd, (struct sockaddr*)&there, sizeof there);
  send_at_once(fd);
  if (result == 0 && (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)) result = -1;
  say_result(result);
}

static void open_server(int slot) {
  char byte = 0;
  const int fd = fds[slot] = accept(listener, NULL, NULL);
  send_at_once(fd);
  int result = fd < 0 || recv(fd, &byte, 1, 0) != 1 || send(fd, &byte, 1, 0) != 1;
  say_result(result ? -1 : 0);
}

static int listen_on(uint16_t number) {
  struct sockaddr_in here = {
      .sin_family = AF_INET, .sin_port = htons(number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr*)&here, sizeof here) != 0 || listen(fd, 16) != 0) {
    perror("listen");
    exit(1);
  }
  return fd;
}

void perform(char* text) {
  char name[32] = "", word[32] = "";
  int slot = 0, used = 0;
  unsigned long number = 0, flags = 0;
  sscanf(text, "%31s %n", name, &used);
  char* rest = text + used;
  if (strcmp(name, "thread") == 0) {
    begin_task(rest);
    end_task();
  } else if (strcmp(name, "begin") == 0) {
    begin_task(rest);
    let_task_sleep();
  } else if (strcmp(name, "end") == 0) {
    end_task();
  } else if (strcmp(name, "fork") == 0) {
    // What the child counts as sent must be known here.
    int pipe_fds[2];
    if (pipe(pipe_fds) != 0) return;
    pid_t child = fork();
    if (child == 0) {
      alarm(patience);
      perform(rest);
      ssize_t ignored = write(pipe_fds[1], sent, sizeof sent);
      ignored = write(pipe_fds[1], answer, strlen(answer));
      _exit(ignored < 0);
    }
    close(pipe_fds[1]);
    if (read(pipe_fds[0], sent, sizeof sent) != sizeof sent) say(" lost");
    ssize_t length = read(pipe_fds[0], answer, sizeof answer - 1);
    answer[length > 0 ? length : 0] = 0;
    close(pipe_fds[0]);
    waitpid(child, NULL, 0);
  } else if (strcmp(name, "open") == 0) {
    const int connection = atoi(rest);
    if (connection == 0) close_all();
    (listener >= 0 ? open_server : open_client)(connection * of_each);
  } else if (strcmp(name, "dup") == 0) {
    sscanf(rest, "%d", &slot);
    if (fds[slot] < 0) fds[slot] = dup(fds[slot - slot % of_each]);
    say_result(fds[slot] < 0 ? -1 : 0);
  } else if (strcmp(name, "over") == 0) {
    int from = 0;
    sscanf(rest, "%d %d", &slot, &from);
    say_result(dup2(fds[from], fds[slot]) == fds[slot] ? 0 : -1);
  } else if (sscanf(rest, "%31s %d %li", word, &slot, (long*)&number) >= 2 &&
             strcmp(name, "epoll") == 0) {
    do_epoll(word, slot, (unsigned)number);
  } else if (strcmp(name, "query") == 0) {
    do_query(word, fds[slot]);
  } else if (sscanf(rest, "%d %li %li", &slot, (long*)&number, (long*)&flags) < 1) {
    say(" ?");
  } else if (strcmp(name, "close") == 0) {
    say_result(close(fds[slot]));
    fds[slot] = -1;
  } else if (strcmp(name, "reset") == 0) {
    struct linger now = {1, 0};
    say_result(setsockopt(fds[slot], SOL_SOCKET, SO_LINGER, &now, sizeof now));
  } else if (strcmp(name, "shutdown") == 0) {
    say_result(shutdown(fds[slot], (int)number));
  } else if (strcmp(name, "signal") == 0) {
    interrupt_task(slot != 0);
  } else if (strcmp(name, "poll") == 0) {
    do_poll(fds[slot], (int)number, (int)flags);
  } else if (strcmp(name, "polls") == 0) {
    do_poll_all((int)number);
  } else if (strcmp(name, "outer") == 0) {
    do_outer();
  } else if (strcmp(name, "nonblock") == 0) {
    int on = (int)number;
    say_result(ioctl(fds[slot], FIONBIO, &on));
  } else if (strcmp(name, "settle") == 0) {
    // The acknowledgement of our FIN is an edge, whenever it comes.
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    for (int i = 0; i < 300; i++, usleep(1000)) {
      getsockopt(fds[slot], IPPROTO_TCP, TCP_INFO, &info, &length);
      if (info.tcpi_state != TCP_FIN_WAIT1 && info.tcpi_state != TCP_LAST_ACK &&
          info.tcpi_state != TCP_CLOSING)
        break;
    }
  } else if (strcmp(name, "timeout") == 0) {
    struct timeval time = {0, (suseconds_t)number * 1000};
    say_result(setsockopt(fds[slot], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
  } else if (strcmp(name, "lowat") == 0) {
    const int mark = (int)number;
    say_result(setsockopt(fds[slot], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark));
  } else if (strcmp(name, "select") == 0) {
    do_select(fds[slot], number != 0);
  } else if (name[0] == 's' || name[0] == 'w') {
    do_send(name, slot, number, (int)flags);
  } else {
    do_receive(name, fds[slot], number, (int)flags);
  }
}

int run_end(uint16_t number, const char* role) {
  static char line[4096];
  port = number;
  signal(SIGPIPE, SIG_IGN);
  buffer = malloc(largest);
  if (getenv("PATIENCE") != NULL) patience = (unsigned)atoi(getenv("PATIENCE"));
  for (int i = 0; i < slots; i++) fds[i] = -1;
  if (role[0] == 'b') listener = listen_on(port);
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    answer[0] = 0;
    alarm(patience);
    perform(line);
    printf("%s\n", answer);
    fflush(stdout);
  }
  return 0;
}
