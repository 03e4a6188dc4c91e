#include "parity.h"

static char buffer[200000];

static void peeks(int fd, bool subject) {
  if (!subject) {
    write_exactly(fd, "abc", 3);
    write_exactly(fd, "defgh", 5);
    yield();
    return;
  }
  nap(50);
  tell("peek 2", recv(fd, buffer, 2, MSG_PEEK));
  tell("peek all", recv(fd, buffer, 100, MSG_PEEK));
  say("%.8s", buffer);
  tell("peek 8 and wait", recv(fd, buffer, 8, MSG_PEEK | MSG_WAITALL));
  tell("read 4", read(fd, buffer, 4));
  tell("peek rest", recv(fd, buffer, 100, MSG_PEEK));
  say("%.4s", buffer);
  tell("read", read(fd, buffer, 100));
  tell("peek none", recv(fd, buffer, 1, MSG_PEEK | MSG_DONTWAIT));
  hand_over();
}

static void peeks_much(int fd, bool subject) {
  static uint8_t data[60000];
  if (!subject) {
    fill_stream(data, sizeof data, 0);
    for (int i = 0; i < 3; ++i) write_exactly(fd, data, sizeof data);
    yield();
    return;
  }
  nap(50);
  uint64_t sum = 0;
  for (int i = 0; i < 36; ++i) {
    ssize_t got = recv(fd, buffer, 20000, MSG_PEEK | MSG_WAITALL);
    sum = checksum(sum, (uint8_t*)buffer, got > 0 ? (size_t)got : 0);
    if (got != 20000 && i < 32) tell("short peek", got);
    if (read_exactly(fd, buffer, 5000) != 5000) say("short read");
    if (i == 32) break;
  }
  say("%016lx", (unsigned long)sum);
  say("rest %zu", read_exactly(fd, buffer, 15000));
  hand_over();
}

static void no_wait(int fd, bool subject) {
  if (!subject) {
    yield();
    write_exactly(fd, "x", 1);
    yield();
    return;
  }
  tell("recv", recv(fd, buffer, 10, MSG_DONTWAIT));
  set_blocking(fd, false);
  tell("read", read(fd, buffer, 10));
  tell("zero", recv(fd, buffer, 0, 0));
  yield();
  say("%d", readable(fd, 5000));
  tell("zero", recv(fd, buffer, 0, 0));
  tell("read zero", read(fd, buffer, 0));
  tell("read", read(fd, buffer, 10));
  tell("read", read(fd, buffer, 10));
  hand_over();
}

static void wait_all(int fd, bool subject) {
  if (!subject) {
    hand_over();
    for (int i = 0; i < 5; ++i) {
      nap(30);
      write_exactly(fd, "0123456789", 10);
    }
    shutdown(fd, SHUT_WR);
    await_turn();
    return;
  }
  tell("35 of them", recv(fd, buffer, 35, MSG_WAITALL));
  say("%.35s", buffer);
  tell("cut by the end", recv(fd, buffer, 100, MSG_WAITALL));
  tell("end", recv(fd, buffer, 100, MSG_WAITALL));
  hand_over();
}

static void wait_all_timeout(int fd, bool subject) {
  if (!subject) {
    write_exactly(fd, "12345", 5);
    yield();
    return;
  }
  set_timeout(fd, SO_RCVTIMEO, 200);
  int64_t began = milliseconds();
  tell("part", recv(fd, buffer, 10, MSG_WAITALL));
  tell("none", recv(fd, buffer, 10, 0));
  int64_t took = milliseconds() - began;
  say("%s", took >= 380 && took < 3000 ? "in time" : "not in time");
  hand_over();
}

static void truncates(int fd, bool subject) {
  if (!subject) {
    write_exactly(fd, "0123456789", 10);
    yield();
    return;
  }
  nap(50);
  tell("count only", recv(fd, NULL, 100, MSG_TRUNC | MSG_PEEK));
  tell("discard 4", recv(fd, NULL, 4, MSG_TRUNC));
  tell("read", read(fd, buffer, 100));
  say("%.6s", buffer);
  hand_over();
}

static void urgent(int fd, bool subject) {
  if (!subject) {
    yield();
    return;
  }
  tell("no urgent data", recv(fd, buffer, 1, MSG_OOB) == -1);
  hand_over();
}

static void scattered(int fd, bool subject) {
  if (!subject) {
    for (int i = 0; i < 7; ++i) {
      write_exactly(fd, "abcdefghijklmnopqrstuvwxyz", 26);
      yield();
    }
    return;
  }
  char a[5], b[1], c[40];
  struct iovec three[] = {{a, 5}, {NULL, 0}, {b, 1}, {c, 0}, {c, sizeof c}};
  memset(c, '.', sizeof c);
  tell("readv", readv(fd, three, 5));
  say("%.5s %.1s %.22s", a, b, c);
  tell("no vectors", readv(fd, three, 0));
  tell("negative", readv(fd, three, -1));
  tell("empty ones", readv(fd, three + 1, 1));
  yield();
  static struct iovec many[1025];
  for (int i = 0; i < 1025; ++i) many[i] = (struct iovec){buffer + i * 3, i % 2};
  tell("too many", readv(fd, many, 1025));
  tell("many", readv(fd, many, 1024));
  say("%c%c%c", buffer[3], buffer[9], buffer[15]);
  yield();
  struct msghdr message = {.msg_iov = three, .msg_iovlen = 5, .msg_flags = -1};
  struct sockaddr_in from;
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_control = buffer;
  message.msg_controllen = 100;
  tell("recvmsg", recvmsg(fd, &message, 0));
  say("name %u control %zu flags %d", message.msg_namelen, (size_t)message.msg_controllen,
      message.msg_flags);
  yield();
  message = (struct msghdr){.msg_iov = three, .msg_iovlen = 1, .msg_namelen = 7};
  tell("recvmsg", recvmsg(fd, &message, 0));
  say("name %u", message.msg_namelen);
  socklen_t length = sizeof from;
  tell("recvfrom", recvfrom(fd, buffer, 100, 0, (struct sockaddr*)&from, &length));
  say("name %u", length);
  yield();
  struct mmsghdr messages[4] = {0};
  struct iovec pieces[4];
  for (int i = 0; i < 4; ++i) {
    pieces[i] = (struct iovec){buffer + i * 10, 10};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  tell("recvmmsg", recvmmsg(fd, messages, 4, MSG_WAITFORONE, NULL));
  say("%u %u %u", messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
  tell("recvmmsg", recvmmsg(fd, messages, 4, MSG_DONTWAIT, NULL));
  struct timespec never = {.tv_sec = INT64_MAX}, bad = {.tv_nsec = -1};
  tell("in bad time", recvmmsg(fd, messages, 2, 0, &bad));
  yield();
  tell("in any time", recvmmsg(fd, messages, 2, 0, &never));
  tell("rest", read(fd, buffer, 100));
  yield();
  tell("preadv2", preadv2(fd, three, 1, -1, 0));
  tell("preadv2 at 0", preadv2(fd, three, 1, 0, 0));
  tell("pread", pread(fd, buffer, 10, 0));
  tell("rest", read(fd, buffer, 100));
  hand_over();
}

static void bad_arguments(int fd, bool subject) {
  if (!subject) {
    write_exactly(fd, "x", 1);
    yield();
    return;
  }
  readable(fd, 5000);
  tell("null", read(fd, NULL, 10));
  tell("wild", recv(fd, (void*)(intptr_t)-4096, 10, 0));
  tell("vector", readv(fd, NULL, 1));
  tell("message", recvmsg(fd, NULL, 0));
  tell("null for nothing", read(fd, NULL, 0));
  tell("bad fd", read(-1, buffer, 1));
  tell("bad fd", recv(987, buffer, 1, 0));
  tell("still there", read(fd, buffer, 10));
  tell("write null", write(fd, NULL, 10));
  tell("send null", send(fd, NULL, 0, 0));
  tell("setsockopt", setsockopt(fd, SOL_SOCKET, 9999, buffer, 4));
  tell("lseek", lseek(fd, 0, SEEK_CUR));
  hand_over();
}

static void counts_waiting(int fd, bool subject) {
  if (!subject) {
    for (int i = 0; i < 10; ++i) write_exactly(fd, buffer, 1000);
    yield();
    return;
  }
  int count = 0;
  for (int i = 0; i < 300 && count != 10000; ++i) {
    nap(10);
    ioctl(fd, FIONREAD, &count);
  }
  say("%d", count);
  tell("read", read(fd, buffer, 2500));
  ioctl(fd, FIONREAD, &count);
  say("%d", count);
  tell("peek", recv(fd, buffer, 100000, MSG_PEEK));
  tell("read", read(fd, buffer, 100000));
  ioctl(fd, FIONREAD, &count);
  say("%d", count);
  count = -1;
  tell("SIOCOUTQ", ioctl(fd, TIOCOUTQ, &count));
  say("%d", count);
  hand_over();
}

// Reads for which a receiver may look ahead: what one leaves is there for the next, for poll,
// FIONREAD, a peek and a child.
static void takes_much(int fd, bool subject) {
  static uint8_t much[1000000], expected[sizeof much];
  const size_t part = 65536;
  fill_stream(expected, sizeof expected, 0);
  if (!subject) {
    hand_over();
    write_exactly(fd, expected, sizeof expected);
    await_turn();
    return;
  }
  size_t at = 0;
  for (int i = 0; i < 5; ++i, at += part) tell("part", recv(fd, much + at, part, MSG_WAITALL));
  say("%d", readable(fd, 5000));
  int count = 0;
  ioctl(fd, FIONREAD, &count);
  say("%s", count > 0 ? "some" : "none");
  tell("peek", recv(fd, much + at, 100, MSG_PEEK));
  pid_t child = fork();
  if (child == 0)
    _exit(recv(fd, much, part, MSG_WAITALL) == (ssize_t)part &&
                  memcmp(much, expected + at, part) == 0
              ? 7
              : 1);
  int status = 0;
  waitpid(child, &status, 0);
  say("child %d", WEXITSTATUS(status));
  memcpy(much + at, expected + at, part);
  at += part;
  for (; at + 200000 < sizeof much; at += 200000)
    tell("large part", recv(fd, much + at, 200000, MSG_WAITALL));
  tell("rest", (long)read_exactly(fd, much + at, sizeof much - at));
  say("%s", memcmp(much, expected, sizeof much) == 0 ? "same" : "other");
  tell("nothing", recv(fd, much, part, MSG_DONTWAIT));
  hand_over();
}

const struct scenario receive_cases[] = {{"peeks", peeks, false},
                                         {"peeks_much", peeks_much, false},
                                         {"no_wait", no_wait, false},
                                         {"wait_all", wait_all, false},
                                         {"wait_all_timeout", wait_all_timeout, false},
                                         {"truncates", truncates, false},
                                         {"urgent", urgent, false},
                                         {"scattered", scattered, false},
                                         {"bad_arguments", bad_arguments, false},
                                         {"counts_waiting", counts_waiting, false},
                                         {"takes_much", takes_much, false},
                                         {0}};
