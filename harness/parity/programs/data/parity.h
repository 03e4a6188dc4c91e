// Small programs that print what each call on a TCP connection gave. Run plain and
// under Gaiter, they must print the same.
//
// parity CASE client|server PORT [VIA]: the process forks before it has any socket; one
// is the subject, client or server as named, whose calls are printed; the other is
// its peer. They take turns over pipes. The server listens on PORT; the client
// connects to VIA, where a relay may listen that leads there.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// A case: run in both processes, each with its end of the connection; -1 if the
// case makes its own sockets. The peer has the first turn.
typedef void play(int fd, bool subject);

struct scenario {
  const char* name;
  play* run;
  bool alone;  // no connection is made for it
};
// What this program can play; each table ends with {0}, the list with NULL.
extern const struct scenario* const case_tables[];

extern bool is_server;  // this process, whether subject or peer
extern int port, via;
extern volatile sig_atomic_t signals_seen;

// Prints a line.
void say(const char* format, ...) __attribute__((format(printf, 1, 2)));
// Prints what a call gave: its result, or the name of its errno.
long tell(const char* what, long result);

// Gives the turn to the other process, and waits to get it back.
void yield(void);
// Gives the turn without waiting; waits without giving.
void hand_over(void);
void await_turn(void);
bool turn_has_come(void);  // takes it, if so
// From the peer to the subject, beside the connection.
void report(uint64_t number);
uint64_t reported(void);

void nap(int milliseconds);
int64_t milliseconds(void);
// Reads exactly that much; stops at end or error. Returns what it got.
size_t read_exactly(int fd, void* data, size_t length);
bool write_exactly(int fd, const void* data, size_t length);
// Byte number `at` of the stream that the two agree on, and a running checksum.
uint8_t stream_byte(uint64_t at);
void fill_stream(uint8_t* data, size_t length, uint64_t at);
uint64_t checksum(uint64_t sum, const uint8_t* data, size_t length);
// Reads to the end and returns the checksum; *total, if any, is the length.
uint64_t drain(int fd, uint64_t* total);

void on_signal(int number, int flags);  // counts
void alarm_in(int milliseconds);        // SIGALRM
void set_blocking(int fd, bool blocking);
void set_timeout(int fd, int option, int milliseconds);
void small_buffers(int fd);
bool readable(int fd, int milliseconds);

int make_listener(int* bound_port);
int make_client(int to_port);  // a blocking connect; -1
