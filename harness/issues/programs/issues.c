#include "issues.h"

void echo(int fd) {
  char data[1000];
  hand_over();
  ssize_t got;
  while ((got = read(fd, data, sizeof data)) > 0) write_exactly(fd, data, (size_t)got);
  report(got == 0);
  await_turn();
}

void ping(int fd, const char* when) {
  char answer[SECRET_LENGTH];
  bool came = write_exactly(fd, SECRET, SECRET_LENGTH) &&
              read_exactly(fd, answer, SECRET_LENGTH) == SECRET_LENGTH;
  say("%s: %s", when, came && memcmp(answer, SECRET, SECRET_LENGTH) == 0 ? "echoed" : "nothing");
}

void finish(void) {
  say("clean end: %lu", (unsigned long)reported());
  hand_over();
}

int listen_first(void) {
  if (is_server) {
    int listener = make_listener(&port);
    hand_over();
    return listener;
  }
  await_turn();
  return -1;
}

void end_together(void) {
  if (is_server) {
    await_turn();
    hand_over();
  } else {
    yield();
  }
}

const struct scenario* const case_tables[] = {
    startup_cases, lifetime_cases, readiness_cases, data_cases, process_control_cases, exit_cases, NULL};
