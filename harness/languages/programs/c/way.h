/* The pairs of calls by which C programs move bytes; -DWAY_... chooses one. */
#ifndef WAY_H
#define WAY_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BLOCK = 16384 };

static char block[BLOCK];

static int die(const char* what) {
  perror(what);
  exit(1);
}

/* Up to `count` bytes into `block` at `at`; 0 at end of file. */
static ssize_t take(int fd, size_t at, size_t count) {
#if defined WAY_SEND_RECV
  return recv(fd, block + at, count, 0);
#elif defined WAY_READ_WRITE
  return read(fd, block + at, count);
#elif defined WAY_VECTORS
  struct iovec parts[] = {
      {block + at, count / 3}, {block + at, 0}, {block + at + count / 3, count - count / 3}};
  return readv(fd, parts, 3);
#elif defined WAY_MESSAGES
  struct iovec parts[] = {{block + at, count / 2}, {block + at + count / 2, count - count / 2}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  return recvmsg(fd, &message, 0);
#elif defined WAY_FORTIFIED
  /* The checked twins are called where the compiler knows the buffer but not the count. */
  static unsigned turn;
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  if (poll(&wait, 1 + turn / 1000000000, -1) != 1) die("poll");
  switch (turn++ % 3) {
    case 0:
      return recv(fd, block + at, count, 0);
    case 1:
      return recvfrom(fd, block + at, count, 0, NULL, NULL);
    default:
      return read(fd, block + at, count);
  }
#endif
}

static ssize_t give_some(int fd, size_t at, size_t count) {
#if defined WAY_SEND_RECV || defined WAY_FORTIFIED
  return send(fd, block + at, count, MSG_NOSIGNAL);
#elif defined WAY_READ_WRITE
  return write(fd, block + at, count);
#elif defined WAY_VECTORS
  struct iovec parts[] = {
      {block + at, count / 3}, {block + at, 0}, {block + at + count / 3, count - count / 3}};
  return writev(fd, parts, 3);
#elif defined WAY_MESSAGES
  struct iovec parts[] = {{block + at, count / 2}, {block + at + count / 2, count - count / 2}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  return sendmsg(fd, &message, 0);
#endif
}

/* All of the first `count` bytes of `block`. */
static void give(int fd, size_t count) {
  for (size_t at = 0; at < count;) {
    ssize_t n = give_some(fd, at, count - at);
    if (n < 0) die("give");
    at += (size_t)n;
  }
}

#endif
