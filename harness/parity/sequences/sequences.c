// Plays sequences of socket operations and prints what each gave.
//
//   sequences PORT < SCRIPT
//
// A script is lines; "sequence NAME" begins the next one, on a new connection. All other
// lines are "a OPERATION ..." for the client's process or "b OPERATION ..." for the
// server's, performed one after the other: the next begins when the last has returned.
// The two ends are programs of their own (fork and exec), so each is its own family.
//
// What a line prints: what the call returned, errno, and what it gave. A stream has no
// messages, so a read that was short goes on, without waiting, for what else is there.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { slots = 4, largest = 1 << 20, patience = 20 };

static int fds[slots];  // the connection is fds[0]; others are its duplicates, or -1
static int listener = -1, epoll_fd = -1;
static int outer_fd = -1;  // an epoll set that holds the other one
static uint16_t port;
static uint8_t* buffer;
static uint64_t sent;  // bytes so far: they are numbered, so that nothing can be taken for another
static char line[4096], answer[4096];

// ---- the operations of one end ----

static void say(const char* format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t used = strlen(answer);
  vsnprintf(answer + used, sizeof answer - used, format, arguments);
  va_end(arguments);
}

static void say_result(ssize_t result) {
  if (result < 0)
    say(" -1 %s", strerrorname_np(errno));
  else
    say(" %zd", result);
}

static uint32_t digest(const uint8_t* data, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ data[i]) * 16777619u;
  return hash;
}

static void say_data(ssize_t result, const uint8_t* data) {
  say_result(result);
  if (result > 0) say(" #%08x", digest(data, (size_t)result));
}

static void fill(size_t length) {
  for (size_t i = 0; i < length; i++)
    buffer[i] = (uint8_t)((sent + i) * 2654435761u >> 13);
}

static void close_all(void) {
  for (int i = 0; i < slots; i++) {
    if (fds[i] >= 0) close(fds[i]);
    fds[i] = -1;
  }
  if (epoll_fd >= 0) close(epoll_fd);
  if (outer_fd >= 0) close(outer_fd);
  epoll_fd = outer_fd = -1;
}

// Both ends have spoken and heard, so whatever comes before data is over.
static void open_client(void) {
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int on = 1;
  char byte = 'a';
  close_all();
  sent = 0;
  fds[0] = socket(AF_INET, SOCK_STREAM, 0);
  int result = connect(fds[0], (struct sockaddr*)&there, sizeof there);
  setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (result == 0 && (send(fds[0], &byte, 1, 0) != 1 || recv(fds[0], &byte, 1, 0) != 1))
    result = -1;
  say_result(result);
}

static void open_server(void) {
  int on = 1;
  char byte = 0;
  close_all();
  sent = 0;
  fds[0] = accept(listener, NULL, NULL);
  setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int result = fds[0] < 0 || recv(fds[0], &byte, 1, 0) != 1 || send(fds[0], &byte, 1, 0) != 1;
  say_result(result ? -1 : 0);
}

static int listen_on(uint16_t number) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(number),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr*)&here, sizeof here) != 0 || listen(fd, 16) != 0) {
    perror("listen");
    exit(1);
  }
  return fd;
}

static ssize_t send_in_two(int fd, size_t length, int flags) {
  struct iovec parts[2] = {{buffer, length / 3}, {buffer + length / 3, length - length / 3}};
  struct mmsghdr both[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}},
                            {.msg_hdr = {.msg_iov = parts + 1, .msg_iovlen = 1}}};
  const int count = sendmmsg(fd, both, 2, flags | MSG_NOSIGNAL);
  return count < 0 ? -1 : (ssize_t)both[0].msg_len + (count > 1 ? (ssize_t)both[1].msg_len : 0);
}

static ssize_t send_a_file(int fd, size_t length) {
  const int file = memfd_create("file", MFD_CLOEXEC);
  off_t offset = 0;
  ssize_t result = write(file, buffer, length);
  if (result >= 0) result = sendfile(fd, file, &offset, length);
  const int saved = errno;
  close(file);
  errno = saved;
  return result;
}

static ssize_t receive_in_two(int fd, size_t length, int flags) {
  const size_t first = (length + 1) / 2;
  struct iovec parts[2] = {{buffer, first}, {buffer + first, length - first}};
  struct mmsghdr both[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}},
                            {.msg_hdr = {.msg_iov = parts + 1, .msg_iovlen = 1}}};
  const int count = recvmmsg(fd, both, 2, flags | MSG_WAITFORONE, NULL);
  if (count < 2) return count < 0 ? -1 : (ssize_t)both[0].msg_len;
  memmove(buffer + both[0].msg_len, buffer + first, both[1].msg_len);
  return (ssize_t)both[0].msg_len + (ssize_t)both[1].msg_len;
}

static void do_send(const char* how, int fd, size_t length, int flags) {
  ssize_t result = -1;
  fill(length);
  if (strcmp(how, "send") == 0) result = send(fd, buffer, length, flags | MSG_NOSIGNAL);
  if (strcmp(how, "write") == 0) result = write(fd, buffer, length);
  if (strcmp(how, "sendmmsg") == 0) result = send_in_two(fd, length, flags);
  if (strcmp(how, "sendfile") == 0) result = send_a_file(fd, length);
  if (strcmp(how, "writev") == 0 || strcmp(how, "sendmsg") == 0) {
    struct iovec parts[3] = {{buffer, length / 3}, {buffer + length / 3, 0},
                             {buffer + length / 3, length - length / 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    result = how[0] == 'w' ? writev(fd, parts, 3) : sendmsg(fd, &message, flags | MSG_NOSIGNAL);
  }
  if (result > 0) sent += (uint64_t)result;
  say_result(result);
}

static void do_receive(const char* how, int fd, size_t length, int flags) {
  ssize_t result = -1;
  if (strcmp(how, "recv") == 0) result = recv(fd, buffer, length, flags);
  if (strcmp(how, "read") == 0) result = read(fd, buffer, length);
  if (strcmp(how, "recvmmsg") == 0) result = receive_in_two(fd, length, flags);
  if (strcmp(how, "readv") == 0 || strcmp(how, "recvmsg") == 0) {
    struct iovec parts[3] = {{buffer, length / 4}, {buffer + length / 4, 0},
                             {buffer + length / 4, length - length / 4}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    result = strcmp(how, "readv") == 0 ? readv(fd, parts, 3) : recvmsg(fd, &message, flags);
  }
  while (result > 0 && (size_t)result < length && (flags & MSG_PEEK) == 0) {
    ssize_t more = recv(fd, buffer + result, length - (size_t)result,
                        MSG_DONTWAIT | (flags & MSG_TRUNC));
    if (more <= 0) break;
    result += more;
  }
  if ((flags & MSG_TRUNC) != 0)
    say_result(result);  // nothing was stored
  else
    say_data(result, buffer);
}

static void do_poll(int fd, int events) {
  struct pollfd one = {.fd = fd, .events = (short)events};
  int result = poll(&one, 1, 0);
  say_result(result);
  say(" %x", (unsigned)one.revents);
}

static void do_poll_all(int events) {
  struct pollfd all[slots];
  for (int i = 0; i < slots; i++) all[i] = (struct pollfd){fds[i], (short)events, 0};
  say_result(poll(all, slots, 0));
  for (int i = 0; i < slots; i++) say(" %x", (unsigned)all[i].revents);
}

static void do_outer(void) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 9};
  if (outer_fd < 0) {
    outer_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(outer_fd, EPOLL_CTL_ADD, epoll_fd, &event);
  }
  say_result(epoll_wait(outer_fd, &event, 1, 0));
}

static void do_select(int fd) {
  fd_set readable, writable, odd;
  struct timeval none = {0, 0};
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_ZERO(&odd);
  FD_SET(fd, &readable);
  FD_SET(fd, &writable);
  FD_SET(fd, &odd);
  int result = select(fd + 1, &readable, &writable, &odd, &none);
  say_result(result);
  if (result >= 0)
    say(" %d%d%d", FD_ISSET(fd, &readable) != 0, FD_ISSET(fd, &writable) != 0,
        FD_ISSET(fd, &odd) != 0);
}

static void do_epoll(const char* what, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.u64 = 7};
  if (epoll_fd < 0) epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (strcmp(what, "add") == 0) say_result(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event));
  if (strcmp(what, "mod") == 0) say_result(epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event));
  if (strcmp(what, "del") == 0) say_result(epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL));
  if (strcmp(what, "wait") != 0) return;
  struct epoll_event found[4];
  int result = epoll_wait(epoll_fd, found, 4, 0);
  say_result(result);
  unsigned all = 0;
  for (int i = 0; i < result; i++) all |= found[i].events;
  if (result > 0) say(" %x", all);
}

static void do_query(const char* what, int fd) {
  int value = -1;
  socklen_t length = sizeof value;
  if (strcmp(what, "fionread") == 0) say_result(ioctl(fd, FIONREAD, &value));
  if (strcmp(what, "error") == 0)
    say_result(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length));
  say(" %d", value);
}

static void perform(char* text);

static void* perform_in_thread(void* text) {
  perform(text);
  return NULL;
}

static void perform(char* text) {
  char name[32] = "", word[32] = "";
  int slot = 0, used = 0;
  unsigned long number = 0, flags = 0;
  sscanf(text, "%31s %n", name, &used);
  char* rest = text + used;
  if (strcmp(name, "thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, perform_in_thread, rest);
    pthread_join(thread, NULL);
  } else if (strcmp(name, "fork") == 0) {
    // What the child counts as sent must be known here.
    int pipe_fds[2];
    if (pipe(pipe_fds) != 0) return;
    pid_t child = fork();
    if (child == 0) {
      alarm(patience);
      perform(rest);
      ssize_t ignored = write(pipe_fds[1], &sent, sizeof sent);
      ignored = write(pipe_fds[1], answer, strlen(answer));
      _exit(ignored < 0);
    }
    close(pipe_fds[1]);
    if (read(pipe_fds[0], &sent, sizeof sent) != sizeof sent) say(" lost");
    ssize_t length = read(pipe_fds[0], answer, sizeof answer - 1);
    answer[length > 0 ? length : 0] = 0;
    close(pipe_fds[0]);
    waitpid(child, NULL, 0);
  } else if (strcmp(name, "open") == 0) {
    listener >= 0 ? open_server() : open_client();
  } else if (strcmp(name, "dup") == 0) {
    sscanf(rest, "%d", &slot);
    if (fds[slot] < 0) fds[slot] = dup(fds[0]);
    say_result(fds[slot] < 0 ? -1 : 0);
  } else if (sscanf(rest, "%31s %d %li", word, &slot, (long*)&number) >= 2 &&
             strcmp(name, "epoll") == 0) {
    do_epoll(word, fds[slot], (unsigned)number);
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
  } else if (strcmp(name, "poll") == 0) {
    do_poll(fds[slot], (int)number);
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
  } else if (strcmp(name, "select") == 0) {
    do_select(fds[slot]);
  } else if (name[0] == 's' || name[0] == 'w') {
    do_send(name, fds[slot], number, (int)flags);
  } else {
    do_receive(name, fds[slot], number, (int)flags);
  }
}

static int run_end(const char* role) {
  signal(SIGPIPE, SIG_IGN);
  buffer = malloc(largest);
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

// ---- the two ends, and the script ----

struct end {
  FILE *to, *from;
};

static struct end start(const char* program, const char* role, const char* port_text) {
  int down[2], up[2];
  if (pipe(down) != 0 || pipe(up) != 0) exit(1);
  if (fork() == 0) {
    dup2(down[0], 0);
    dup2(up[1], 1);
    for (int fd = 3; fd < 32; fd++) close(fd);
    execl(program, program, port_text, role, NULL);
    _exit(127);
  }
  close(down[0]);
  close(up[1]);
  struct end end = {fdopen(down[1], "w"), fdopen(up[0], "r")};
  if (fgets(line, sizeof line, end.from) == NULL) exit(1);
  return end;
}

static void order(struct end* end, const char* text) {
  fputs(text, end->to);
  fflush(end->to);
}

static void report(struct end* end, const char* text) {
  char result[4096];
  if (fgets(result, sizeof result, end->from) == NULL) {
    printf("%.*s: DIED\n", (int)strcspn(text, "\n"), text);
    exit(3);
  }
  printf("%.*s:%s", (int)strcspn(text, "\n"), text, result);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  port = (uint16_t)atoi(argv[1]);
  if (argc == 3) return run_end(argv[2]);
  struct end server = start("/proc/self/exe", "b", argv[1]);
  struct end client = start("/proc/self/exe", "a", argv[1]);
  static char script[4096];
  while (fgets(script, sizeof script, stdin) != NULL) {
    if (strncmp(script, "sequence", 8) == 0) {
      fputs(script, stdout);
      order(&server, "open\n");
      order(&client, "open\n");
      report(&server, "b open");
      report(&client, "a open");
    } else {
      struct end* end = script[0] == 'a' ? &client : &server;
      order(end, script + 2);
      report(end, script);
    }
  }
  return 0;
}
