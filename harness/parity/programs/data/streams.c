#include "parity.h"

static char buffer[1000];

// A server that sends back one connection's bytes, and the client of that.
static void echo_once(bool subject) {
  int listener = make_listener(&port);
  hand_over();
  int fd = accept(listener, NULL, NULL);
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
    write_exactly(fd, buffer, (size_t)got);
  close(fd);
  close(listener);
  if (subject) say("served");
}

static struct sockaddr_in server_address(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int family_of(int fd) {
  struct sockaddr_storage name = {0};
  socklen_t length = sizeof name;
  return getsockname(fd, (struct sockaddr*)&name, &length) == 0 ? name.ss_family : -1;
}

static void talk(FILE* in, FILE* out) {
  fputs("a line\n", out);
  fflush(out);
  if (fgets(buffer, sizeof buffer, in) == NULL) strcpy(buffer, "nothing\n");
  say("%.*s", (int)strcspn(buffer, "\n"), buffer);
}

// The stream is there before the connection is.
static void stream_first(int unused, bool subject) {
  (void)unused;
  if (is_server) return echo_once(subject);
  await_turn();
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  FILE* stream = fdopen(fd, "r+");
  struct sockaddr_in address = server_address();
  long result = connect(fd, (struct sockaddr*)&address, sizeof address);
  if (subject) tell("connect", result);
  if (subject) talk(stream, stream); else fputs("x", stream);
  fclose(stream);
}

// What stood behind the number of a closed stream is forgotten.
static void numbers_of_streams(int fd, bool subject) {
  if (!subject) {
    hand_over();
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
      write_exactly(fd, buffer, (size_t)got);
    await_turn();
    return;
  }
  FILE* stream = fdopen(fd, "r+");
  talk(stream, stream);
  say("%d", fileno(stream) == fd);
  say("%d", family_of(fd));
  tell("fclose", fclose(stream));
  tell("again", close(fd));
  int other = socket(AF_UNIX, SOCK_STREAM, 0);
  say("%d %d", other == fd, family_of(other));
  close(other);
  other = socket(AF_INET, SOCK_DGRAM, 0);
  int one = 1, got = 0;
  socklen_t length = sizeof got;
  setsockopt(other, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
  getsockopt(other, IPPROTO_IP, IP_RECVTTL, &got, &length);
  say("%d %d", other == fd, got);
  close(other);
  hand_over();
}

static void reopened_stream(int fd, bool subject) {
  if (!subject) {
    hand_over();
    report((uint64_t)read(fd, buffer, sizeof buffer));
    report(read(fd, buffer, 1) == 0);
    await_turn();
    return;
  }
  FILE* stream = fdopen(fd, "w");
  fputs("12345", stream);
  stream = freopen("/dev/null", "w", stream);
  say("%d", stream != NULL && fileno(stream) == fd);
  say("%lu %lu", (unsigned long)reported(), (unsigned long)reported());
  say("%d", family_of(fd));
  hand_over();
}

// A daemon that closed its standard streams gets their numbers for sockets.
static void number_of_standard_error(int unused, bool subject) {
  (void)unused;
  if (is_server) return echo_once(subject);
  await_turn();
  close(2);
  int fd = make_client(port);
  if (subject) say("%d", fd);
  fprintf(stderr, "to whom it may concern\n");
  long got = (long)read_exactly(fd, buffer, 23);
  if (subject) say("%ld %.22s", got, buffer);
  close(fd);
}

static void accepted_as_standard_error(int unused, bool subject) {
  (void)unused;
  if (!is_server) {
    await_turn();
    int fd = make_client(port);
    write_exactly(fd, "hello", 5);
    long got = (long)read_exactly(fd, buffer, 7);
    if (subject) say("%ld %.7s", got, buffer);
    if (subject) tell("end", read(fd, buffer, 1));
    return;
  }
  int listener = make_listener(&port);
  close(2);
  hand_over();
  int fd = accept(listener, NULL, NULL);
  if (subject) say("%d %d", fd, family_of(fd));
  long got = (long)read_exactly(fd, buffer, 5);
  if (subject) say("%ld %.5s", got, buffer);
  fprintf(stderr, "printed");
  close(fd);
}

// As inetd's: close(0), dup(connection).
static void duplicated_onto_standard_input(int fd, bool subject) {
  if (!subject) {
    hand_over();
    write_exactly(fd, "line one\nline two\n", 18);
    report((uint64_t)read_exactly(fd, buffer, 4));
    await_turn();
    return;
  }
  close(0);
  tell("dup", dup(fd));
  say("%s", fgets(buffer, sizeof buffer, stdin));
  say("%s", fgets(buffer, sizeof buffer, stdin));
  tell("write", write(fd, "back", 4));
  say("%lu %d", (unsigned long)reported(), family_of(0));
  hand_over();
}

static void second_names(int fd, bool subject) {
  extern ssize_t __read(int, void*, size_t), __write(int, const void*, size_t);
  extern ssize_t __send(int, const void*, size_t, int);
  extern int __close(int), __dup2(int, int), __poll(struct pollfd*, nfds_t, int);
  extern int __fcntl(int, int, ...);
  if (!subject) {
    hand_over();
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) write_exactly(fd, buffer, (size_t)got);
    report(got == 0);
    await_turn();
    return;
  }
  tell("__write", __write(fd, "abc", 3));
  tell("__send", __send(fd, "def", 3, 0));
  tell("read", (long)read_exactly(fd, buffer, 5));
  struct pollfd one = {fd, POLLIN, 0};
  tell("__poll", __poll(&one, 1, 5000));
  tell("__read", __read(fd, buffer, 5));
  tell("__dup2", __dup2(fd, 50));
  tell("__fcntl", __fcntl(50, F_DUPFD, 60));
  tell("write", write(60, "x", 1));
  tell("read", read(50, buffer, 5));
  tell("__close", __close(60));
  tell("__close", __close(50));
  tell("__close", __close(fd));
  say("%lu", (unsigned long)reported());
  hand_over();
}

const struct scenario stream_cases[] = {
    {"stream_first", stream_first, true},
    {"numbers_of_streams", numbers_of_streams, false},
    {"reopened_stream", reopened_stream, false},
    {"number_of_standard_error", number_of_standard_error, true},
    {"accepted_as_standard_error", accepted_as_standard_error, true},
    {"duplicated_onto_standard_input", duplicated_onto_standard_input, false},
    {"second_names", second_names, false},
    {0}};
