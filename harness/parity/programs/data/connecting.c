#include "parity.h"

static char buffer[100];

static struct sockaddr_in loopback(int number) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int pending_error(int fd) {
  int error = -1;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

static long connect_to(int fd, int number) {
  struct sockaddr_in address = loopback(number);
  return connect(fd, (struct sockaddr*)&address, sizeof address);
}

// A server of one connection, which says hello.
static void greet(void) {
  int listener = make_listener(&port);
  hand_over();
  int fd = accept(listener, NULL, NULL);
  write_exactly(fd, "hello", 5);
  read(fd, buffer, 1);
  close(fd);
  close(listener);
  await_turn();
}

static void without_waiting(int unused, bool subject) {
  (void)unused;
  if (!subject) {
    greet();
    return;
  }
  await_turn();
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  tell("before", send(fd, "x", 1, MSG_NOSIGNAL));
  tell("before", recv(fd, buffer, 1, 0));
  tell("connect", connect_to(fd, port) == 0 ? -1 : -1);
  struct pollfd one = {fd, POLLOUT, 0};
  tell("poll", poll(&one, 1, 5000));
  say("%d", one.revents == POLLOUT);
  say("SO_ERROR %d", pending_error(fd));
  tell("connect", connect_to(fd, port));
  tell("connect", connect_to(fd, port));
  set_blocking(fd, true);
  tell("read", (long)read_exactly(fd, buffer, 5));
  close(fd);
  hand_over();
}

static void closed_port(int unused, bool subject) {
  (void)unused;
  if (!subject) {
    await_turn();
    greet();
    return;
  }
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  tell("connect", connect_to(fd, port));
  tell("connect", connect_to(fd, port));
  say("SO_ERROR %d", pending_error(fd));
  set_blocking(fd, false);
  tell("connect", connect_to(fd, port) == 0 ? 0 : -1);
  struct pollfd one = {fd, POLLOUT, 0};
  tell("poll", poll(&one, 1, 5000));
  say("%d %d", (one.revents & POLLERR) != 0, (one.revents & POLLHUP) != 0);
  say("SO_ERROR %s", strerrorname_np(pending_error(fd)));
  say("SO_ERROR %d", pending_error(fd));
  set_blocking(fd, true);
  say("%d", fcntl(fd, F_GETFD));
  yield();
  tell("once more", connect_to(fd, port));  // Linux: ECONNABORTED after a failure that was told
  tell("same socket again", connect_to(fd, port));
  tell("read", (long)read_exactly(fd, buffer, 5));
  close(fd);
  hand_over();
}

static void interrupted(int unused, bool subject) {
  (void)unused;
  if (!subject) {
    int listener = make_listener(&port);
    hand_over();
    int fd = accept(listener, NULL, NULL);
    nap(300);
    write_exactly(fd, "hello", 5);
    read(fd, buffer, 1);
    close(fd);
    await_turn();
    return;
  }
  await_turn();
  on_signal(SIGALRM, SA_RESTART);
  alarm_in(100);
  int fd = make_client(port);
  tell("connect", fd >= 0 ? 0 : -1);
  tell("read", (long)read_exactly(fd, buffer, 5));
  nap(50);
  say("signals %d", (int)signals_seen);
  close(fd);
  hand_over();
}

static void interrupted_first_read(int unused, bool subject) {
  (void)unused;
  if (!is_server) {
    await_turn();
    nap(400);
    int fd = make_client(port);
    write_exactly(fd, "hello", 5);
    read(fd, buffer, 1);
    close(fd);
    if (subject) say("done");
    hand_over();
    if (!subject) await_turn();
    return;
  }
  int listener = make_listener(&port);
  hand_over();
  on_signal(SIGALRM, 0);
  alarm_in(100);
  int fd = accept(listener, NULL, NULL);
  if (subject) tell("accept", fd);
  struct sockaddr_in from = {0};
  socklen_t length = sizeof from;
  fd = accept(listener, (struct sockaddr*)&from, &length);
  if (subject) say("%u %d", length, from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  long got = (long)read_exactly(fd, buffer, 5);
  if (subject) tell("read", got);
  close(fd);
  await_turn();
  if (subject) hand_over();
}

static void accepts(int unused, bool subject) {
  (void)unused;
  if (!is_server) {
    await_turn();
    for (int i = 0; i < 3; ++i) {
      int fd = make_client(port);
      read(fd, buffer, 2);
      close(fd);
    }
    if (subject) say("done");
    hand_over();
    if (!subject) await_turn();
    return;
  }
  int listener = make_listener(&port);
  hand_over();
  for (int i = 0; i < 3; ++i) {
    struct sockaddr_in from;
    socklen_t length = i == 1 ? 4 : sizeof from;
    int fd = i == 0   ? accept(listener, NULL, NULL)
             : i == 1 ? accept4(listener, (struct sockaddr*)&from, &length, SOCK_NONBLOCK)
                      : accept4(listener, (struct sockaddr*)&from, &length, SOCK_CLOEXEC);
    if (subject)
      say("%u %d %d", i == 0 ? 0 : length, fcntl(fd, F_GETFL) & O_NONBLOCK, fcntl(fd, F_GETFD));
    set_blocking(fd, true);
    write_exactly(fd, "hi", 2);
    close(fd);
  }
  set_blocking(listener, false);
  int none = accept(listener, NULL, NULL);
  if (subject) tell("none", none);
  await_turn();
  if (subject) hand_over();
}

static void odd_addresses(int unused, bool subject) {
  (void)unused;
  if (!subject) {
    hand_over();
    await_turn();
    return;
  }
  await_turn();
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = loopback(port);
  tell("short", connect(fd, (struct sockaddr*)&address, 4));
  tell("null", connect(fd, NULL, sizeof address));
  address.sin_family = 99;
  tell("family", connect(fd, (struct sockaddr*)&address, sizeof address));
  tell("not a socket", connect_to(1, port));
  tell("no fd", connect_to(987, port));
  tell("listen twice", listen(fd, 5) + listen(fd, 5));
  tell("connect a listener", connect_to(fd, port));
  hand_over();
}

const struct scenario connect_cases[] = {{"without_waiting", without_waiting, true},
                                         {"closed_port", closed_port, true},
                                         {"interrupted_connect", interrupted, true},
                                         {"interrupted_first_read", interrupted_first_read, true},
                                         {"accepts", accepts, true},
                                         {"odd_addresses", odd_addresses, true},
                                         {0}};
