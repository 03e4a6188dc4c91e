#include <linux/sockios.h>

#include "parity.h"

static uint8_t data[1 << 20];

static void gathers(int fd, bool subject) {
  if (!subject) {
    hand_over();
    uint64_t total;
    uint64_t sum = drain(fd, &total);
    report(total);
    report(sum);
    await_turn();
    return;
  }
  struct iovec pieces[] = {{"one", 3}, {NULL, 0}, {"two", 3}, {"", 0}, {"three", 5}};
  tell("writev", writev(fd, pieces, 5));
  tell("none", writev(fd, pieces, 0));
  tell("empty", writev(fd, pieces + 1, 1));
  tell("negative", writev(fd, pieces, -1));
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 5};
  tell("sendmsg", sendmsg(fd, &message, 0));
  struct mmsghdr messages[3] = {{.msg_hdr = message}, {.msg_hdr = message}, {.msg_hdr = {0}}};
  tell("sendmmsg", sendmmsg(fd, messages, 3, 0));
  say("%u %u %u", messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
  tell("zero", send(fd, "", 0, 0));
  tell("write zero", write(fd, "", 0));
  tell("pwritev2", pwritev2(fd, pieces, 1, -1, 0));
  tell("pwrite", pwrite(fd, "x", 1, 0));
  tell("urgent refused", send(fd, "x", 1, MSG_OOB) == 1 || errno == EOPNOTSUPP);
  fill_stream(data, sizeof data, 0);
  static struct iovec many[1025];
  for (int i = 0; i < 1024; ++i) many[i] = (struct iovec){data + i * 1024, (size_t)(i % 7) * 17};
  tell("many", writev(fd, many, 1024));
  tell("too many", writev(fd, many, 1025));
  tell("more", send(fd, "more", 4, MSG_MORE));
  tell("end", send(fd, "end", 3, 0));
  shutdown(fd, SHUT_WR);
  // The urgent byte of the plain run is out of band, and not in the sum.
  say("%lu %016lx", (unsigned long)reported(), (unsigned long)reported());
  hand_over();
}

static void large(int fd, bool subject) {
  if (!subject) {
    hand_over();
    report(drain(fd, NULL));
    await_turn();
    return;
  }
  fill_stream(data, sizeof data, 7);
  tell("write", write(fd, data, sizeof data));
  for (size_t size = 1; size < sizeof data; size = size * 3 + 1)
    if (write(fd, data, size) != (ssize_t)size) say("short");
  for (size_t size = 16380; size < 16390; ++size)
    if (write(fd, data + size, size) != (ssize_t)size) say("short");
  for (size_t size = 65530; size < 65540; ++size)
    if (send(fd, data + size, size, 0) != (ssize_t)size) say("short");
  shutdown(fd, SHUT_WR);
  say("%016lx", (unsigned long)reported());
  hand_over();
}

// Sends without waiting until nothing is taken any more. Every byte that was
// taken must arrive, once and in order, also if the socket is closed right then.
static void overfill(int fd, bool subject, bool close_at_once, int delay) {
  small_buffers(fd);
  if (!subject) {
    hand_over();
    nap(delay);
    uint64_t total;
    report(drain(fd, &total));
    report(total);
    await_turn();
    return;
  }
  set_blocking(fd, false);
  uint64_t sent = 0, sum = 0;
  unsigned random = 1;
  int full = 0;
  for (int64_t until = milliseconds() + (close_at_once ? 400 : 4000);
       milliseconds() < until && sent < 3000000;) {
    random = random * 1103515245 + 12345;
    size_t size = 1 + (random >> 8) % 40000;
    fill_stream(data, size, sent);
    ssize_t got = send(fd, data, size, 0);
    if (got < 0 && errno != EAGAIN) {
      tell("send", got);
      break;
    }
    if (got < 0) {
      ++full;
      if (poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 100) == 0 && close_at_once) break;
      continue;
    }
    sum = checksum(sum, data, (size_t)got);
    sent += (uint64_t)got;
  }
  say("%s", full > 0 ? "was full" : "was never full");
  close(fd);
  say("%s", reported() == sum ? "same" : "other");
  uint64_t arrived = reported();
  if (arrived == sent) say("all arrived"); else say("of %lu arrived %lu", sent, arrived);
  hand_over();
}

static void slow_reader(int fd, bool subject) { overfill(fd, subject, false, 1000); }
static void closes_on_slow_reader(int fd, bool subject) { overfill(fd, subject, true, 1000); }
static void closes_on_sleeper(int fd, bool subject) { overfill(fd, subject, true, 4000); }

static void finishes_on_slow_reader(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    hand_over();
    nap(1500);
    uint64_t total;
    report(drain(fd, &total));
    report(total);
    write_exactly(fd, "bye", 3);
    await_turn();
    return;
  }
  set_blocking(fd, false);
  fill_stream(data, sizeof data, 0);
  ssize_t sent = send(fd, data, sizeof data, 0);
  for (ssize_t more; sent < (ssize_t)sizeof data; sent += more)
    if ((more = send(fd, data + sent, sizeof data - (size_t)sent, 0)) < 0) break;
  tell("shutdown", shutdown(fd, SHUT_WR));
  tell("after", send(fd, "x", 1, MSG_NOSIGNAL));
  set_blocking(fd, true);
  char answer[3];
  tell("answer", (long)read_exactly(fd, answer, 3));
  say("%s", reported() == checksum(0, data, (size_t)sent) ? "same" : "other");
  say("%s", reported() == (uint64_t)sent ? "all" : "not all");
  hand_over();
}

static void send_timeout(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    yield();
    uint64_t total;
    report(drain(fd, &total));
    report(total);
    await_turn();
    return;
  }
  set_timeout(fd, SO_SNDTIMEO, 300);
  fill_stream(data, sizeof data, 0);
  uint64_t sum = 0, total = 0;
  int64_t began = milliseconds();
  ssize_t sent;
  while ((sent = send(fd, data, sizeof data, 0)) > 0) {
    sum = checksum(sum, data, (size_t)sent);
    total += (uint64_t)sent;
  }
  tell("at last", sent);
  int64_t took = milliseconds() - began;
  say("%s", took > 280 && took < 3000 ? "in time" : "not in time");
  hand_over();
  set_timeout(fd, SO_SNDTIMEO, 0);
  fill_stream(data, 1000, 5);
  tell("goes on", send(fd, data, 1000, 0));
  sum = checksum(sum, data, 1000);
  shutdown(fd, SHUT_WR);
  say("%s", reported() == sum ? "same" : "other");
  say("%s", reported() == total + 1000 ? "all" : "not all");
  hand_over();
}

// The tail of what a timed-out send took must leave although the program now only
// waits for the answer.
static void asks_after_timeout(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    yield();
    static char piece[50000];
    uint64_t total = 0, wanted = reported();
    while (total < wanted) {
      ssize_t got = read(fd, piece, sizeof piece);
      if (got <= 0) break;
      total += (uint64_t)got;
    }
    write_exactly(fd, "answer", 6);
    await_turn();
    return;
  }
  set_timeout(fd, SO_SNDTIMEO, 200);
  ssize_t sent = send(fd, data, sizeof data, 0);
  say("%s", sent > 0 && sent < (ssize_t)sizeof data ? "part" : "not a part");
  report((uint64_t)sent);
  hand_over();
  char answer[6];
  set_timeout(fd, SO_RCVTIMEO, 5000);
  tell("answer", read(fd, answer, 6));
  hand_over();
}

static void full_duplex_loop(int fd, bool subject) {
  if (!subject) {
    hand_over();
    static char piece[30000];
    for (ssize_t got; (got = read(fd, piece, sizeof piece)) > 0;)
      if (!write_exactly(fd, piece, (size_t)got)) break;
    shutdown(fd, SHUT_WR);
    await_turn();
    return;
  }
  set_blocking(fd, false);
  static uint8_t in[50000];
  uint64_t sent = 0, came = 0, sum_out = 0, sum_in = 0, target = 4 << 20;
  while (came < target) {
    struct pollfd both = {fd, (short)(POLLIN | (sent < target ? POLLOUT : 0)), 0};
    if (poll(&both, 1, 5000) != 1) {
      say("stalled");
      break;
    }
    if (both.revents & POLLOUT) {
      size_t size = 1 + sent % 77777;
      if (size > target - sent) size = target - sent;
      fill_stream(data, size, sent);
      ssize_t got = write(fd, data, size);
      if (got > 0) {
        sum_out = checksum(sum_out, data, (size_t)got);
        sent += (uint64_t)got;
      }
    }
    if (both.revents & POLLIN) {
      ssize_t got = read(fd, in, sizeof in);
      if (got <= 0) {
        tell("read", got);
        break;
      }
      sum_in = checksum(sum_in, in, (size_t)got);
      came += (uint64_t)got;
    }
  }
  say("%s %lu", sum_in == sum_out ? "same" : "other", (unsigned long)came);
  shutdown(fd, SHUT_WR);
  readable(fd, 5000);
  tell("end", read(fd, in, 10));
  hand_over();
}

// Who waits for TIOCOUTQ to say 0, and calls nothing else.
static void asks_what_is_unsent(int fd, bool subject) {
  small_buffers(fd);
  if (!subject) {
    yield();
    uint64_t total = 0;
    drain(fd, &total);
    report(total);
    await_turn();
    return;
  }
  set_blocking(fd, false);
  uint64_t sent = 0;
  for (ssize_t got; (got = write(fd, data, sizeof data)) > 0;) sent += (uint64_t)got;
  int left = -1;
  tell("asked", ioctl(fd, TIOCOUTQ, &left));
  say("%s", left > 0 ? "some" : "none");
  hand_over();
  for (int i = 0; i < 1000 && left != 0; ++i) {
    nap(10);
    ioctl(fd, TIOCOUTQ, &left);
  }
  say("%d", left);
  ioctl(fd, SIOCOUTQNSD, &left);
  say("%d", left);
  shutdown(fd, SHUT_WR);
  say("%s", reported() == sent ? "all" : "not all");
  hand_over();
}

const struct scenario send_cases[] = {{"gathers", gathers, false},
                                      {"large", large, false},
                                      {"slow_reader", slow_reader, false},
                                      {"closes_on_slow_reader", closes_on_slow_reader, false},
                                      {"closes_on_sleeper", closes_on_sleeper, false},
                                      {"finishes_on_slow_reader", finishes_on_slow_reader, false},
                                      {"send_timeout", send_timeout, false},
                                      {"asks_after_timeout", asks_after_timeout, false},
                                      {"full_duplex_loop", full_duplex_loop, false},
                                      {"asks_what_is_unsent", asks_what_is_unsent, false},
                                      {0}};
