// The system calls of a sequence.
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "end.h"

enum { most_parts = 33 };

static void fill(size_t length, uint64_t at) {
  for (size_t i = 0; i < length; i++) buffer[i] = (uint8_t)((at + i) * 2654435761u >> 13);
}

// Pieces for "readv" or, of the many kind, "readv-many", some of them empty. Returns how many.
static int in_pieces(struct iovec* parts, const char* how, size_t length) {
  const size_t wanted = strstr(how, "-many") != NULL ? most_parts : 3;
  size_t used = 0;
  for (size_t i = 0; i < wanted; i++) {
    const bool is_last = i + 1 == wanted;
    const size_t part = is_last      ? length - used
                        : i % 2 == 1 ? 0
                                     : (length - used) / (wanted + 1 - i);
    parts[i] = (struct iovec){buffer + used, part};
    used += part;
  }
  return (int)wanted;
}

static bool begins(const char* text, const char* with) {
  return strncmp(text, with, strlen(with)) == 0;
}

static ssize_t send_in_two(int fd, size_t length, int flags) {
  struct iovec parts[2] = {{buffer, length / 3}, {buffer + length / 3, length - length / 3}};
  struct mmsghdr both[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}},
                            {.msg_hdr = {.msg_iov = parts + 1, .msg_iovlen = 1}}};
  const int count = sendmmsg(fd, both, 2, flags | MSG_NOSIGNAL);
  return count < 0 ? -1 : (ssize_t)both[0].msg_len + (count > 1 ? (ssize_t)both[1].msg_len : 0);
}

static ssize_t send_a_file(int fd, size_t length) {
  const int file = memfd_create("file", MFD_CLOEXEC);
  off_t offset = 0;
  ssize_t result = write(file, buffer, length);
  if (result >= 0) result = sendfile(fd, file, &offset, length);
  const int saved = errno;
  close(file);
  errno = saved;
  return result;
}

static ssize_t receive_in_two(int fd, size_t length, int flags) {
  const size_t first = (length + 1) / 2;
  struct iovec parts[2] = {{buffer, first}, {buffer + first, length - first}};
  struct mmsghdr both[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}},
                            {.msg_hdr = {.msg_iov = parts + 1, .msg_iovlen = 1}}};
  const int count = recvmmsg(fd, both, 2, flags | MSG_WAITFORONE, NULL);
  if (count < 2) return count < 0 ? -1 : (ssize_t)both[0].msg_len;
  memmove(buffer + both[0].msg_len, buffer + first, both[1].msg_len);
  return (ssize_t)both[0].msg_len + (ssize_t)both[1].msg_len;
}

void do_send(const char* how, int slot, size_t length, int flags) {
  const int fd = fds[slot];
  ssize_t result = -1;
  fill(length, sent[slot / of_each]);
  if (strcmp(how, "send") == 0) result = send(fd, buffer, length, flags | MSG_NOSIGNAL);
  if (strcmp(how, "write") == 0) result = write(fd, buffer, length);
  if (strcmp(how, "sendmmsg") == 0) result = send_in_two(fd, length, flags);
  if (strcmp(how, "sendfile") == 0) result = send_a_file(fd, length);
  if (begins(how, "writev") || begins(how, "sendmsg")) {
    struct iovec parts[most_parts];
    const int count = in_pieces(parts, how, length);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    result = how[0] == 'w' ? writev(fd, parts, count) : sendmsg(fd, &message, flags | MSG_NOSIGNAL);
  }
  if (result > 0) sent[slot / of_each] += (uint64_t)result;
  say_result(result);
}

void do_receive(const char* how, int fd, size_t length, int flags) {
  ssize_t result = -1;
  if (strcmp(how, "recv") == 0) result = recv(fd, buffer, length, flags);
  if (strcmp(how, "read") == 0) result = read(fd, buffer, length);
  if (strcmp(how, "recvmmsg") == 0) result = receive_in_two(fd, length, flags);
  if (begins(how, "readv") || begins(how, "recvmsg")) {
    struct iovec parts[most_parts];
    const int count = in_pieces(parts, how, length);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    result = how[2] == 'a' ? readv(fd, parts, count) : recvmsg(fd, &message, flags);
  }
  while (result > 0 && (size_t)result < length && (flags & MSG_PEEK) == 0) {
    ssize_t more =
        recv(fd, buffer + result, length - (size_t)result, MSG_DONTWAIT | (flags & MSG_TRUNC));
    if (more <= 0) break;
    result += more;
  }
  if ((flags & MSG_TRUNC) != 0)
    say_result(result);  // nothing was stored
  else
    say_data(result, buffer);
}

void do_poll(int fd, int events, int timeout) {
  struct pollfd one = {.fd = fd, .events = (short)events};
  int result = poll(&one, 1, timeout);
  say_result(result);
  say(" %x", (unsigned)one.revents);
}

void do_poll_all(int events) {
  struct pollfd all[slots];
  for (int i = 0; i < slots; i++) all[i] = (struct pollfd){fds[i], (short)events, 0};
  say_result(poll(all, slots, 0));
  for (int i = 0; i < slots; i++) say(" %x", (unsigned)all[i].revents);
}

void do_outer(void) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 9};
  if (outer_fd < 0) {
    outer_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(outer_fd, EPOLL_CTL_ADD, epoll_fd, &event);
  }
  say_result(epoll_wait(outer_fd, &event, 1, 0));
}

// Whoever waits, waits for input.
void do_select(int fd, bool waits) {
  fd_set readable, writable, odd;
  struct timeval none = {0, 0};
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_ZERO(&odd);
  FD_SET(fd, &readable);
  if (!waits) FD_SET(fd, &writable);
  FD_SET(fd, &odd);
  int result = select(fd + 1, &readable, &writable, &odd, waits ? NULL : &none);
  say_result(result);
  if (result >= 0)
    say(" %d%d%d", FD_ISSET(fd, &readable) != 0, FD_ISSET(fd, &writable) != 0,
        FD_ISSET(fd, &odd) != 0);
}

void do_epoll(const char* what, int slot, unsigned events) {
  const int fd = fds[slot];
  struct epoll_event event = {.events = events, .data.u64 = (uint64_t)(slot / of_each)};
  if (epoll_fd < 0) epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (strcmp(what, "add") == 0) say_result(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event));
  if (strcmp(what, "mod") == 0) say_result(epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event));
  if (strcmp(what, "del") == 0) say_result(epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL));
  if (strcmp(what, "wait") != 0 && strcmp(what, "sleep") != 0) return;
  struct epoll_event found[slots];
  int result = epoll_wait(epoll_fd, found, slots, what[0] == 's' ? -1 : 0);
  say_result(result);
  unsigned all[connections] = {0};
  for (int i = 0; i < result; i++) all[found[i].data.u64] |= found[i].events;
  for (int i = 0; i < connections && result > 0; i++) say(" %x", all[i]);
}

void do_query(const char* what, int fd) {
  int value = -1;
  socklen_t length = sizeof value;
  if (strcmp(what, "fionread") == 0) say_result(ioctl(fd, FIONREAD, &value));
  if (strcmp(what, "error") == 0) say_result(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length));
  say(" %d", value);
}
