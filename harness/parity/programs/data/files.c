#include "parity.h"

enum { size = 700000 };
static uint8_t data[size];

static int make_file(void) {
  char name[] = "/tmp/parity-XXXXXX";
  int fd = mkstemp(name);
  unlink(name);
  fill_stream(data, size, 0);
  if (write(fd, data, size) != size) _exit(9);
  lseek(fd, 0, SEEK_SET);
  return fd;
}

static void serve(int fd, int delay) {
  hand_over();
  nap(delay);
  uint64_t total;
  report(drain(fd, &total));
  report(total);
  await_turn();
}

static void finish(int fd, uint64_t sum, uint64_t total) {
  shutdown(fd, SHUT_WR);
  say("%s", reported() == sum ? "same" : "other");
  say("%s", reported() == total ? "all" : "not all");
  hand_over();
}

static void sends_file(int fd, bool subject) {
  if (!subject) {
    serve(fd, 0);
    return;
  }
  int file = make_file();
  off_t at = 1000;
  tell("some", sendfile(fd, file, &at, 100000));
  say("%ld %ld", (long)at, (long)lseek(file, 0, SEEK_CUR));
  uint64_t sum = checksum(0, data + 1000, 100000), total = 100000;
  tell("by position", sendfile(fd, file, NULL, 50000));
  say("%ld", (long)lseek(file, 0, SEEK_CUR));
  sum = checksum(sum, data, 50000);
  at = size - 10;
  tell("past the end", sendfile(fd, file, &at, 100000));
  sum = checksum(sum, data + size - 10, 10);
  tell("at the end", sendfile(fd, file, &at, 100));
  tell("nothing", sendfile(fd, file, &at, 0));
  at = 0;
  tell("all", sendfile(fd, file, &at, size * 2));
  sum = checksum(sum, data, size);
  tell("no file", sendfile(fd, 987, NULL, 10));
  tell("itself", sendfile(fd, fd, NULL, 10));
  int ends[2];
  if (pipe(ends) != 0) return;
  tell("to a pipe's input", sendfile(fd, ends[1], NULL, 10));
  // What a full socket leaves of it could not be read again.
  tell("write", write(ends[1], "0123456789", 10));
  tell("from a pipe", sendfile(fd, ends[0], NULL, 10));
  tell("at a position of it", sendfile(fd, ends[0], &at, 10));
  tell("still there", read(ends[0], (char[20]){0}, 20));
  at = -5;
  tell("negative", sendfile(fd, file, &at, 10));
  finish(fd, sum, total + 50000 + 10 + size);
}

static void sends_file_slowly(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    serve(fd, 500);
    return;
  }
  int file = make_file();
  set_blocking(fd, false);
  off_t at = 0;
  int full = 0;
  // By turns with the offset given and with the file's own.
  while (at < size) {
    ssize_t sent;
    if (full % 2 == 0) {
      sent = sendfile(fd, file, &at, size);
    } else {
      lseek(file, at, SEEK_SET);
      sent = sendfile(fd, file, NULL, size);
      if (sent > 0) at += sent;
      if (lseek(file, 0, SEEK_CUR) != at) say("the position is off");
    }
    if (sent < 0 && errno != EAGAIN) {
      tell("sendfile", sent);
      break;
    }
    if (sent < 0) ++full;
    if (poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 5000) != 1) say("stalled");
  }
  say("%s", full > 0 ? "was full" : "was never full");
  finish(fd, checksum(0, data, size), size);
}

const struct scenario file_cases[] = {{"sends_file", sends_file, false},
                                      {"sends_file_slowly", sends_file_slowly, false},
                                      {0}};
