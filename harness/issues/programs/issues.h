// Cases that were bugs of others, for the runner of parity (harness/parity/programs/data).
#pragma once

#include "parity.h"

// What crosses the wire in all cases, and must not be seen on it.
#define SECRET "never to be seen on the wire"
enum { SECRET_LENGTH = sizeof SECRET - 1 };

// The usual peer: gives the turn, echoes to the end, and reports 1 if that was a clean one.
void echo(int fd);
// Sends SECRET to such a peer, and prints whether it came back.
void ping(int fd, const char* when);
// Prints what the usual peer reported of the end.
void finish(void);

// For cases that make their connections themselves. The server's listening socket, which is there
// when the client goes on; -1 for the client.
int listen_first(void);
// Neither end goes before both are done.
void end_together(void);

// A case whose peer is the usual one.
#define WITH_ECHO(name)                    \
  static void name##_subject(int fd);      \
  static void name(int fd, bool subject) { \
    if (subject)                           \
      name##_subject(fd);                  \
    else                                   \
      echo(fd);                            \
  }                                        \
  static void name##_subject(int fd)

extern const struct scenario startup_cases[], process_control_cases[], lifetime_cases[],
    readiness_cases[], data_cases[], exit_cases[];
