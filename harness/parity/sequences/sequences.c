// Plays sequences of socket operations and prints what each gave.
//
//   sequences PORT < SCRIPT
//
// A script is lines; "sequence NAME" begins the next one, on a new connection, and "second"
// opens another one, whose slots are 4 to 7. All other
// lines are "a OPERATION ..." for the client's process or "b OPERATION ..." for the
// server's, performed one after the other: the next begins when the last has returned.
// The two ends are programs of their own (fork and exec), so each is its own family.
//
// What a line prints: what the call returned, errno, and what it gave. A stream has no
// messages, so a read that was short goes on, without waiting, for what else is there.
//
// "begin OPERATION" performs it in another thread, and returns once that sleeps (or is done);
// "signal RESTART" interrupts it; "end" waits for it and prints what it gave.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "end.h"

struct end {
  FILE *to, *from;
};

static char line[4096];

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
  if (argc == 3) return run_end((uint16_t)atoi(argv[1]), argv[2]);
  struct end server = start("/proc/self/exe", "b", argv[1]);
  struct end client = start("/proc/self/exe", "a", argv[1]);
  static char script[4096];
  while (fgets(script, sizeof script, stdin) != NULL) {
    const bool is_second = strncmp(script, "second", 6) == 0;
    if (is_second || strncmp(script, "sequence", 8) == 0) {
      fputs(script, stdout);
      order(&server, is_second ? "open 1\n" : "open 0\n");
      order(&client, is_second ? "open 1\n" : "open 0\n");
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
