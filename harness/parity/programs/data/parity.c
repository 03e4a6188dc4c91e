#include "parity.h"

bool is_server;
int port, via;
volatile sig_atomic_t signals_seen;
static int tell_other, hear_other, report_in, report_out;

void say(const char* format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  line[length++] = '\n';
  if (write(1, line, (size_t)length) != length) _exit(9);
}

long tell(const char* what, long result) {
  int error = errno;
  if (result < 0) {
    say("%s: %s", what, strerrorname_np(error));
  } else {
    say("%s: %ld", what, result);
  }
  errno = error;
  return result;
}

void hand_over(void) {
  if (write(tell_other, "t", 1) != 1) _exit(8);
}

void await_turn(void) {
  char token;
  ssize_t got;
  do {
    got = read(hear_other, &token, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) _exit(7);
}

bool turn_has_come(void) {
  if (!readable(hear_other, 0)) return false;
  await_turn();
  return true;
}

void yield(void) {
  hand_over();
  await_turn();
}

void report(uint64_t number) {
  if (write(report_in, &number, sizeof number) != sizeof number) _exit(6);
}

uint64_t reported(void) {
  uint64_t number = 0;
  ssize_t got;
  do {
    got = read(report_out, &number, sizeof number);
  } while (got < 0 && errno == EINTR);
  return number;
}

void nap(int milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

size_t read_exactly(int fd, void* data, size_t length) {
  size_t total = 0;
  while (total < length) {
    ssize_t got = read(fd, (char*)data + total, length - total);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    total += (size_t)got;
  }
  return total;
}

bool write_exactly(int fd, const void* data, size_t length) {
  size_t total = 0;
  while (total < length) {
    ssize_t sent = send(fd, (const char*)data + total, length - total, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);
      continue;
    }
    if (sent < 0) return false;
    total += (size_t)sent;
  }
  return true;
}

uint8_t stream_byte(uint64_t at) { return (uint8_t)(at * 131 + (at >> 8) * 31 + (at >> 16)); }

void fill_stream(uint8_t* data, size_t length, uint64_t at) {
  for (size_t i = 0; i < length; ++i) data[i] = stream_byte(at + i);
}

uint64_t checksum(uint64_t sum, const uint8_t* data, size_t length) {
  for (size_t i = 0; i < length; ++i) sum = (sum ^ data[i]) * 0x100000001b3u;
  return sum;
}

uint64_t drain(int fd, uint64_t* total) {
  static __thread uint8_t data[300000];
  uint64_t sum = 0, count = 0;
  for (;;) {
    ssize_t got = read(fd, data, sizeof data);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1);
      continue;
    }
    if (got <= 0) break;
    sum = checksum(sum, data, (size_t)got);
    count += (uint64_t)got;
  }
  if (total != NULL) *total = count;
  return sum;
}

static void count_signal(int number) {
  (void)number;
  ++signals_seen;
}

void on_signal(int number, int flags) {
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = flags};
  sigaction(number, &action, NULL);
}

void alarm_in(int milliseconds) {
  struct itimerval timer = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

void set_blocking(int fd, bool blocking) {
  int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

void set_timeout(int fd, int option, int milliseconds) {
  struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, option, &time, sizeof time);
}

void small_buffers(int fd) {
  int size = 20000;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

bool readable(int fd, int milliseconds) {
  return poll(&(struct pollfd){fd, POLLIN, 0}, 1, milliseconds) == 1;
}

static struct sockaddr_in loopback(int number) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int make_listener(int* bound_port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = loopback(*bound_port);
  socklen_t length = sizeof address;
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 64) != 0) {
    perror("listen");
    _exit(5);
  }
  getsockname(fd, (struct sockaddr*)&address, &length);
  *bound_port = ntohs(address.sin_port);
  return fd;
}

int make_client(int to_port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = loopback(to_port);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static const struct scenario* find_case(const char* name) {
  for (const struct scenario* const* table = case_tables; *table != NULL; ++table)
    for (const struct scenario* one = *table; one->name != NULL; ++one)
      if (strcmp(one->name, name) == 0) return one;
  return NULL;
}

static int connect_pair(const int ready[2]) {
  char token;
  int one = 1;
  if (!is_server) {
    if (read(ready[0], &token, 1) != 1) _exit(4);
    int fd = make_client(via);
    if (fd < 0) perror("connect");
    return fd;
  }
  int listener = make_listener(&port);
  if (write(ready[1], "r", 1) != 1) _exit(4);
  int fd = accept(listener, NULL, NULL);
  close(listener);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);  // the other end may be waiting for our use of it
  return fd;
}

int main(int count, char** words) {
  if (count == 2 && strcmp(words[1], "list") == 0) {
    for (const struct scenario* const* table = case_tables; *table != NULL; ++table)
      for (const struct scenario* one = *table; one->name != NULL; ++one) puts(one->name);
    return 0;
  }
  const struct scenario* chosen = count == 4 || count == 5 ? find_case(words[1]) : NULL;
  if (chosen == NULL) return 2;
  bool subject_serves = strcmp(words[2], "server") == 0;
  port = atoi(words[3]);
  via = count == 5 ? atoi(words[4]) : port;
  int up[2], down[2], ready[2], reports[2];
  if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC) || pipe2(ready, O_CLOEXEC) ||
      pipe2(reports, O_CLOEXEC)) {
    return 3;
  }
  pid_t peer = fork();
  bool subject = peer != 0;
  // Who goes first must not be ended by who has ended.
  signal(SIGALRM, SIG_IGN);
  tell_other = subject ? up[1] : down[1];
  hear_other = subject ? down[0] : up[0];
  report_in = reports[1];
  report_out = reports[0];
  close(subject ? up[0] : up[1]);
  close(subject ? down[1] : down[0]);
  is_server = subject == subject_serves;
  int fd = chosen->alone ? -1 : connect_pair(ready);
  if (!chosen->alone && fd < 0) return 1;
  if (subject && !chosen->alone) await_turn();
  chosen->run(fd, subject);
  if (!subject) {
    hand_over();
    if (fd >= 0) read(hear_other, &(char){0}, 1);  // an end too early would be an event
    _exit(0);
  }
  close(up[1]);
  int status = 0;
  waitpid(peer, &status, 0);
  return status == 0 ? 0 : 10;
}
