// What reading and writing gave where arguments were odd.
#include <limits.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "issues.h"

static char buffer[20000];

WITH_ECHO(lengths_of_nothing) {
  struct msghdr message = {0};
  tell("sendmsg, no vector", sendmsg(fd, &message, 0));
  struct iovec pieces[3] = {{NULL, 0}, {buffer, 0}, {NULL, 0}};
  message.msg_iov = pieces;
  message.msg_iovlen = 3;
  tell("sendmsg, of nothing", sendmsg(fd, &message, 0));
  tell("writev", writev(fd, pieces, 3));
  tell("writev, none", writev(fd, NULL, 0));
  tell("send", send(fd, NULL, 0, 0));
  tell("readv, none", readv(fd, NULL, 0));
  tell("recvmsg, not waiting", recvmsg(fd, &message, MSG_DONTWAIT));
  ping(fd, "after");
  write_exactly(fd, SECRET, SECRET_LENGTH);
  say("%d", readable(fd, 5000));
  message.msg_name = buffer;
  message.msg_namelen = sizeof(struct sockaddr_in);
  message.msg_control = buffer;
  message.msg_controllen = 100;
  tell("recvmsg", recvmsg(fd, &message, 0));
  say("%u %zu %d", message.msg_namelen, message.msg_controllen, message.msg_flags);
  message.msg_iov = NULL;
  message.msg_iovlen = 0;
  tell("recvmsg, no vector", recvmsg(fd, &message, 0));
  tell("recv", recv(fd, NULL, 0, 0));
  pieces[1] = (struct iovec){buffer, SECRET_LENGTH};
  tell("readv", readv(fd, pieces, 3));
  pieces[1] = (struct iovec){SECRET, SECRET_LENGTH};
  tell("writev", writev(fd, pieces, 3));
  tell("read", (long)read_exactly(fd, buffer, SECRET_LENGTH));
  close(fd);
  finish();
}

// A receive time of zero is no time limit.
WITH_ECHO(time_limit_of_zero) {
  struct timeval time = {9, 9};
  set_timeout(fd, SO_RCVTIMEO, 30);
  tell("in time", recv(fd, buffer, 1, 0));
  set_timeout(fd, SO_RCVTIMEO, 0);
  set_timeout(fd, SO_SNDTIMEO, 0);
  socklen_t length = sizeof time;
  getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &length);
  say("%ld %ld", time.tv_sec, time.tv_usec);
  on_signal(SIGALRM, 0);
  alarm_in(150);
  tell("without limit", recv(fd, buffer, 1, 0));
  ping(fd, "after");
  time.tv_usec = 1000000;
  tell("no such time", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
  tell("too short", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, 4));
  close(fd);
  finish();
}

WITH_ECHO(flags_of_one_call) {
  tell("dontwait", recv(fd, buffer, 1, MSG_DONTWAIT));
  say("blocking %d", (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
  write_exactly(fd, SECRET, SECRET_LENGTH);
  say("%d", readable(fd, 5000));
  memset(buffer, '-', 40);
  tell("trunc", recv(fd, buffer, 6, MSG_TRUNC));
  say("%.4s", buffer);
  tell("peek and trunc", recv(fd, buffer, 5, MSG_PEEK | MSG_TRUNC));
  struct iovec piece = {buffer, 3};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  tell("recvmsg", recvmsg(fd, &message, MSG_DONTWAIT));
  say("%.3s %d", buffer, message.msg_flags & MSG_TRUNC);
  tell("the rest", (long)read_exactly(fd, buffer, SECRET_LENGTH - 9));
  tell("send", send(fd, SECRET, SECRET_LENGTH, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR));
  tell("wait for all", recv(fd, buffer, SECRET_LENGTH, MSG_WAITALL));
  close(fd);
  finish();
}

WITH_ECHO(vectors_out_of_bounds) {
  static struct iovec many[IOV_MAX + 1];
  for (int i = 0; i <= IOV_MAX; ++i) many[i] = (struct iovec){buffer + i, 1};
  tell("readv, too many", readv(fd, many, IOV_MAX + 1));
  tell("writev, too many", writev(fd, many, IOV_MAX + 1));
  tell("readv, negative", readv(fd, many, -1));
  tell("writev, smallest", writev(fd, many, INT_MIN));
  tell("readv, bad vector", readv(fd, (void*)8, 2));
  tell("writev, bad vector", writev(fd, (void*)8, 2));
  struct iovec two[2] = {{buffer, SSIZE_MAX}, {buffer, SSIZE_MAX}};
  tell("readv, overflow", readv(fd, two, 2));
  tell("writev, overflow", writev(fd, two, 2));
  struct msghdr message = {.msg_iov = many, .msg_iovlen = IOV_MAX + 1};
  tell("sendmsg, too many", sendmsg(fd, &message, 0));
  tell("recvmsg, too many", recvmsg(fd, &message, 0));
  message.msg_iovlen = SIZE_MAX / 16;
  tell("sendmsg, most", sendmsg(fd, &message, 0));
  tell("sendmsg, nothing", sendmsg(fd, NULL, 0));
  tell("recvmsg, bad", recvmsg(fd, (void*)8, 0));
  tell("write, bad buffer", write(fd, (void*)8, 10));
  ping(fd, "after all");
  memset(buffer, 'v', IOV_MAX);
  tell("writev, most", writev(fd, many, IOV_MAX));
  size_t total = 0;
  while (total < IOV_MAX) {
    ssize_t got = readv(fd, many, IOV_MAX);
    if (got <= 0) break;
    total += (size_t)got;
  }
  say("readv %zu", total);
  close(fd);
  finish();
}

static void option(int fd, int level, int name, const char* what) {
  for (socklen_t length = 0; length <= 8; length += 2) {
    unsigned char value[8];
    memset(value, 0xee, sizeof value);
    socklen_t size = length;
    long result = getsockopt(fd, level, name, value, &size);
    if (tell(what, result) == 0)
      say("  %u of %u: %02x%02x%02x%02x%02x", size, length, value[0], value[1], value[2], value[3],
          value[4]);
  }
}

WITH_ECHO(lengths_of_options) {
  ping(fd, "open");
  option(fd, SOL_SOCKET, SO_ERROR, "SO_ERROR");
  option(fd, SOL_SOCKET, SO_TYPE, "SO_TYPE");
  option(fd, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
  int error;
  socklen_t length = (socklen_t)-1;
  tell("negative", getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
  length = sizeof error;
  tell("no value", getsockopt(fd, SOL_SOCKET, SO_ERROR, NULL, &length));
  tell("no length", getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, NULL));
  tell("no option", getsockopt(fd, SOL_SOCKET, 987, &error, &length));
  tell("no level", getsockopt(fd, 987, 1, &error, &length));
  tell("set, short", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &error, 1));
  tell("set, bad", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, 4));
  ping(fd, "after");
  close(fd);
  finish();
}

// O_NONBLOCK belongs to the program, whatever else is set or cleared with it.
WITH_ECHO(flags_that_stay) {
  ping(fd, "open");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  say("%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  tell("recv", recv(fd, buffer, 1, 0));
  tell("peek", recv(fd, buffer, 1, MSG_PEEK));
  say("poll %d", readable(fd, 0));
  say("%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC);
  say("%d", (fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ASYNC)) == (O_NONBLOCK | O_ASYNC));
  fcntl(fd, F_SETFL, 0);
  say("%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
  ping(fd, "blocking");
  say("%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
  close(fd);
  finish();
}

// Rights are looked at twice: neither blocks, and both descriptors work.
WITH_ECHO(rights_are_peeked_at) {
  ping(fd, "open");
  int ends[2], file = memfd_create("file", 0);
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec piece = {buffer, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = sizeof control};
  struct cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(part), &file, sizeof file);
  tell("sendmsg", sendmsg(ends[0], &message, 0));
  for (int i = 0; i < 2; ++i) {
    int got = -1;
    memset(control, 0, sizeof control);
    message.msg_controllen = sizeof control;
    tell("recvmsg", recvmsg(ends[1], &message, (i == 0 ? MSG_PEEK : 0) | MSG_CMSG_CLOEXEC));
    part = CMSG_FIRSTHDR(&message);
    if (part != NULL) memcpy(&got, CMSG_DATA(part), sizeof got);
    say("%d, close-on-exec %d", got > file, fcntl(got, F_GETFD));
    tell("write", write(got, SECRET, SECRET_LENGTH));
    close(got);
  }
  tell("both", lseek(file, 0, SEEK_END));
  tell("none left", recvmsg(ends[1], &message, MSG_PEEK | MSG_DONTWAIT));
  close(fd);
  finish();
}

// How programs send with the SYN, and go on where they cannot.
static void first_bytes_with_the_connect(int unused, bool subject) {
  (void)unused;
  if (is_server) {
    int listener = make_listener(&port), queue = 5;
    setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue);
    hand_over();
    for (int i = 0; i < 2; ++i) {
      int fd = accept(listener, NULL, NULL);
      size_t got = read_exactly(fd, buffer, SECRET_LENGTH);
      if (subject) say("%zu %d", got, memcmp(buffer, SECRET, SECRET_LENGTH) == 0);
      write_exactly(fd, SECRET, SECRET_LENGTH);
      read(fd, buffer, 1);
      close(fd);
    }
    await_turn();
    if (subject) hand_over();
    return;
  }
  await_turn();
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)via)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < 2; ++i) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    ssize_t sent = -1;
    if (i == 0) {
      sent = sendto(fd, SECRET, SECRET_LENGTH, MSG_FASTOPEN, (struct sockaddr*)&to, sizeof to);
    } else {
      setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof one);
    }
    if (sent < 0) {
      connect(fd, (struct sockaddr*)&to, sizeof to);
      sent = write_exactly(fd, SECRET, SECRET_LENGTH) ? SECRET_LENGTH : -1;
    }
    size_t got = read_exactly(fd, buffer, SECRET_LENGTH);
    if (subject) say("%zd %zu", sent, got);
    close(fd);
  }
  hand_over();
  if (!subject) await_turn();
}

// syscall(2) with numbers that are nobody's business goes to the kernel as it is.
WITH_ECHO(other_system_calls) {
  say("%d", syscall(SYS_gettid) == gettid());
  tell("getrandom", syscall(SYS_getrandom, buffer, 16L, 0L));
  void* memory = (void*)syscall(SYS_mmap, NULL, 4096L, (long)(PROT_READ | PROT_WRITE),
                                (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);
  say("%d", memory != MAP_FAILED);
  memset(memory, 1, 4096);
  tell("membarrier", syscall(SYS_membarrier, 0L, 0L, 0L) >= 0 ? 0 : -1);
  tell("none", syscall(99999L));
  tell("less", syscall(-1L));
  tell("futex", syscall(SYS_futex, memory, 0L, 5L, NULL, NULL, 0L));
  tell("write", syscall(SYS_write, fd, SECRET, (long)SECRET_LENGTH));
  tell("read", (long)read_exactly(fd, buffer, SECRET_LENGTH));
  tell("close", syscall(SYS_close, fd));
  finish();
}

// accept4(2) by its number, and the calls that minimal lists forget.
static void accepted_by_number(int unused, bool subject) {
  (void)unused;
  int listener = listen_first();
  int fd = is_server ? (int)syscall(SYS_accept4, listener, NULL, NULL, (long)SOCK_CLOEXEC)
                     : make_client(via);
  if (is_server && subject) say("%d", fcntl(fd, F_GETFD) == FD_CLOEXEC);
  int copy = dup(fd);
  struct iovec piece = {SECRET, SECRET_LENGTH};
  struct mmsghdr two[2] = {{.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}},
                           {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}}};
  if (subject) {
    tell("sendmmsg", sendmmsg(copy, two, 2, 0));
    say("%u %u", two[0].msg_len, two[1].msg_len);
  }
  size_t total = 0;
  struct iovec in[2] = {{buffer, SECRET_LENGTH}, {buffer + SECRET_LENGTH, SECRET_LENGTH}};
  struct mmsghdr got[2] = {{.msg_hdr = {.msg_iov = in, .msg_iovlen = 1}},
                           {.msg_hdr = {.msg_iov = in + 1, .msg_iovlen = 1}}};
  while (total < 2 * SECRET_LENGTH) {
    int count = recvmmsg(fd, got, 2, MSG_WAITFORONE, NULL);
    if (count <= 0) break;
    for (int i = 0; i < count; ++i) total += got[i].msg_len;
  }
  if (!subject) sendmmsg(copy, two, 2, 0);
  if (subject) say("received %zu", total);
  end_together();
}

const struct scenario data_cases[] = {
    {"lengths_of_nothing", lengths_of_nothing, false},
    {"time_limit_of_zero", time_limit_of_zero, false},
    {"flags_of_one_call", flags_of_one_call, false},
    {"vectors_out_of_bounds", vectors_out_of_bounds, false},
    {"lengths_of_options", lengths_of_options, false},
    {"flags_that_stay", flags_that_stay, false},
    {"rights_are_peeked_at", rights_are_peeked_at, false},
    {"first_bytes_with_the_connect", first_bytes_with_the_connect, true},
    {"other_system_calls", other_system_calls, false},
    {"accepted_by_number", accepted_by_number, true},
    {0}};
