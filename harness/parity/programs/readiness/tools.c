// What the cases are made of, and the peer that they give orders to.
#include "readiness.h"

int is_server;
struct sockaddr_in address, refused_address;
int to_peer[2], from_peer[2];
int listener = -1;

void die(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  fflush(stdout);
  _exit(1);
}

int ok(int result, const char* what) {
  if (result < 0) die(what);
  return result;
}

double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void nap(int milliseconds) { usleep((useconds_t)milliseconds * 1000); }

void set_nonblocking(int fd, int on) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int make_listener(void) {
  const int fd = ok(socket(AF_INET, SOCK_STREAM, 0), "socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ok(bind(fd, (struct sockaddr*)&address, sizeof address), "bind");
  ok(listen(fd, 1024), "listen");
  return fd;
}

static void send_all(int fd, const char* data, size_t length) {
  while (length != 0) {
    const ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
    if (sent < 0) die("peer send");
    data += sent;
    length -= (size_t)sent;
  }
}

void read_exactly(int fd, size_t length) {
  static char waste[65536];
  while (length != 0) {
    const ssize_t got = recv(fd, waste, length < sizeof waste ? length : sizeof waste, 0);
    if (got <= 0) die("peer recv");
    length -= (size_t)got;
  }
}

// ---- the peer: one line, one order, one answer ----

void be_peer(void) {
  static int fds[MOST];
  static char data[1 << 20];
  int opened = 0;
  FILE* orders = fdopen(to_peer[0], "r");
  char line[128];
  if (!is_server) listener = make_listener();
  ok((int)write(from_peer[1], "+", 1), "ready");
  while (fgets(line, sizeof line, orders) != NULL) {
    char order[16];
    int which = 0, amount = 0, times = 1;
    sscanf(line, "%15s %d %d %d", order, &which, &amount, &times);
    const int fd = fds[which];
    if (strcmp(order, "open") == 0) {
      if (is_server) {
        fds[opened] = ok(socket(AF_INET, SOCK_STREAM, 0), "peer socket");
        ok(connect(fds[opened], (struct sockaddr*)&address, sizeof address), "peer connect");
      } else {
        fds[opened] = ok(accept(listener, NULL, NULL), "peer accept");
      }
      const int on = 1;
      setsockopt(fds[opened], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      opened++;
    } else if (strcmp(order, "send") == 0) {
      for (int i = 0; i < times; i++) send_all(fd, data, (size_t)amount);
    } else if (strcmp(order, "read") == 0) {
      read_exactly(fd, (size_t)amount);
    } else if (strcmp(order, "shut") == 0) {
      ok(shutdown(fd, SHUT_WR), "peer shutdown");
    } else if (strcmp(order, "reset") == 0) {
      const struct linger abort = {1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
      close(fd);
    } else if (strcmp(order, "close") == 0) {
      close(fd);
    }
    ok((int)write(from_peer[1], "+", 1), "answer");
  }
  _exit(0);
}

void await_peer(void) {
  char answer;
  if (read(from_peer[0], &answer, 1) != 1) die("the peer is gone");
}

void order(const char* format, ...) {
  char line[128];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  line[length] = '\n';
  ok((int)write(to_peer[1], line, (size_t)length + 1), "order");
}

// ---- the subject's tools ----

const char* names(uint32_t events, char* text) {
  static const struct {
    uint32_t bit;
    const char* name;
  } all[] = {{POLLIN, "IN"},       {POLLPRI, "PRI"}, {POLLOUT, "OUT"},
             {POLLERR, "ERR"},     {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"},
             {POLLRDHUP, "RDHUP"}, {EPOLLET, "ET"},  {EPOLLONESHOT, "ONESHOT"}};
  text[0] = 0;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if ((events & all[i].bit) == 0) continue;
    if (text[0] != 0) strcat(text, "|");
    strcat(text, all[i].name);
    events &= ~all[i].bit;
  }
  if (events != 0) sprintf(text + strlen(text), "|%x", events);
  return text;
}

static int by_data(const void* left, const void* right) {
  const uint64_t a = ((const struct epoll_event*)left)->data.u64;
  const uint64_t b = ((const struct epoll_event*)right)->data.u64;
  return (a > b) - (a < b);
}

int wait_for(int ep, int timeout, int most, const char* label) {
  struct epoll_event events[64];
  const int count = epoll_wait(ep, events, most, timeout);
  printf("%s:", label);
  if (count < 0) printf(" %s", strerrorname_np(errno));
  if (count == 0) printf(" nothing");
  if (count > 0) qsort(events, (size_t)count, sizeof *events, by_data);
  for (int i = 0; i < count; i++) {
    char text[128];
    printf(" %d=%s", (int)events[i].data.u64, names(events[i].events, text));
  }
  printf("\n");
  return count;
}

int look(int ep, const char* label) { return wait_for(ep, 100, 64, label); }

void control(int ep, int operation, int fd, uint32_t wanted, int tag) {
  struct epoll_event event = {.events = wanted, .data.u64 = (uint64_t)tag};
  if (epoll_ctl(ep, operation, fd, &event) != 0)
    printf("epoll_ctl %d on %d: %s\n", operation, tag, strerrorname_np(errno));
}

void add(int ep, int fd, uint32_t wanted, int tag) { control(ep, EPOLL_CTL_ADD, fd, wanted, tag); }
void modify(int ep, int fd, uint32_t wanted, int tag) {
  control(ep, EPOLL_CTL_MOD, fd, wanted, tag);
}

void poll_one(int fd, short wanted, int timeout, const char* label) {
  struct pollfd one = {fd, wanted, 0};
  char text[128];
  const int count = poll(&one, 1, timeout);
  printf("%s: %d %s\n", label, count, names((uint16_t)one.revents, text));
}

void select_one(int fd, int timeout, const char* label) {
  fd_set in, out, except;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&except);
  FD_SET(fd, &in);
  FD_SET(fd, &out);
  FD_SET(fd, &except);
  struct timeval time = {timeout / 1000, timeout % 1000 * 1000};
  const int count = select(fd + 1, &in, &out, &except, &time);
  printf("%s: %d%s%s%s\n", label, count, FD_ISSET(fd, &in) ? " in" : "",
         FD_ISSET(fd, &out) ? " out" : "", FD_ISSET(fd, &except) ? " except" : "");
}

void take(int fd, size_t amount, const char* label) {
  static char buffer[1 << 20];
  const ssize_t got = recv(fd, buffer, amount, 0);
  if (got < 0) {
    printf("%s: %s\n", label, strerrorname_np(errno));
  } else {
    printf("%s: %zd\n", label, got);
  }
}

size_t take_all(int fd) {
  static char buffer[65536];
  size_t total = 0;
  ssize_t got;
  while ((got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) total += (size_t)got;
  return total;
}

int connect_now(int nonblocking) {
  const int fd = ok(socket(AF_INET, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0), 0), "socket");
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0 && errno != EINPROGRESS)
    die("connect");
  return fd;
}

int open_one(int which) {
  int fd;
  order("open");
  if (is_server) {
    fd = ok(accept(listener, NULL, NULL), "accept");
    order("send %d 1", which);
    order("read %d 1", which);
    char byte;
    if (recv(fd, &byte, 1, 0) != 1) die("first byte");
    send_all(fd, "x", 1);
  } else {
    order("read %d 1", which);
    order("send %d 1", which);
    fd = connect_now(0);
    send_all(fd, "x", 1);
    char byte;
    if (recv(fd, &byte, 1, 0) != 1) die("first byte");
  }
  for (int i = 0; i < 3; i++) await_peer();
  return fd;
}

size_t fill(int fd) {
  static char data[65536];
  size_t total = 0;
  set_nonblocking(fd, 1);
  // The peer's kernel takes more as its buffer grows.
  for (int full = 0; full < 10;) {
    const ssize_t sent = send(fd, data, sizeof data, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die("send");
    if (sent > 0) total += (size_t)sent;
    if (sent < 0) nap(2);
    full = sent < 0 ? full + 1 : 0;
  }
  return total;
}

void calm(int ep, const char* label) {
  struct epoll_event event;
  const double before = now(CLOCK_PROCESS_CPUTIME_ID);
  const int count = epoll_wait(ep, &event, 1, 400);
  const double spent = now(CLOCK_PROCESS_CPUTIME_ID) - before;
  printf("%s: %d events, %s\n", label, count, spent < 0.1 ? "asleep" : "busy");
}
