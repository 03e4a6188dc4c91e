// Bad arguments, each given by a child of its own, and what came of it: an errno's name, "fine", or
// the signal that ended the child. Plain and under Gaiter it must be the same.
//
//   arguments without           calls of a program that has no TCP socket
//   arguments server PORT       those on an accepted connection with data to read; a child of its own is the client
//   arguments client PORT       those of who connects there
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char* bad;   // two pages that cannot be touched, behind one that can
static char* edge;  // eight bytes before them
static struct sockaddr_in here;

#define TRY(call)                                                                        \
  do {                                                                                   \
    fflush(stdout);                                                                      \
    const pid_t child = fork();                                                          \
    if (child == 0) {                                                                    \
      alarm(20);                                                                         \
      errno = 0;                                                                         \
      const long result = (long)(call);                                                  \
      _exit(result < 0 ? errno : 0);                                                     \
    }                                                                                    \
    int status;                                                                          \
    waitpid(child, &status, 0);                                                          \
    const int code = WEXITSTATUS(status);                                                \
    printf("%s: %s\n", #call,                                                            \
           WIFSIGNALED(status) ? strsignal(WTERMSIG(status))                             \
                               : code == 0 ? "fine" : strerrorname_np(code));            \
  } while (0)

static int tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }

// Outlives the fork of the child that tries, and so does not lie where calls look first.
static void* kept(const void* from, size_t size) {
  char* const copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (copy == MAP_FAILED) exit(1);
  if (from != NULL) memcpy(copy, from, size);
  return copy;
}

static void readiness(int fd, int also) {
  struct pollfd* const one = kept(&(struct pollfd){fd, POLLOUT, 0}, sizeof *one);
  struct timespec* const wrong = kept(&(struct timespec){0, -1}, sizeof *wrong);
  fd_set* const set = kept(NULL, 0);
  struct timeval* const now = kept(NULL, 0);
  FD_SET(fd, set);
  TRY(poll(one, (nfds_t)-1, 0));
  TRY(poll(one, 1 << 30, 0));
  TRY(poll((void*)bad, 1, 0));
  TRY(poll((void*)edge, 2, 0));
  TRY(poll(NULL, 1, 0));
  TRY(ppoll(one, (nfds_t)-1, &(struct timespec){0}, NULL));
  TRY(ppoll((void*)bad, 1, &(struct timespec){0}, NULL));
  TRY(ppoll(one, 1, wrong, NULL));
  TRY(ppoll(one, 1, &(struct timespec){0}, (void*)bad));
  TRY(syscall(SYS_poll, one, -1, 0));
  TRY(syscall(SYS_poll, bad, 1, 0));
  TRY(syscall(SYS_ppoll, one, 1, bad, NULL, 8));
  TRY(select(fd + 1, (void*)bad, NULL, NULL, now));
  TRY(select(fd + 1, set, (void*)bad, NULL, now));
  TRY(select(fd + 1, (void*)edge, NULL, NULL, now));
  TRY(select(1 << 30, (void*)bad, NULL, NULL, now));
  TRY(select(-1, set, NULL, NULL, now));
  TRY(pselect(fd + 1, NULL, NULL, (void*)bad, &(struct timespec){0}, NULL));
  TRY(pselect(fd + 1, set, NULL, NULL, wrong, NULL));
  TRY(syscall(SYS_select, fd + 1, set, NULL, NULL, bad));
  TRY(syscall(SYS_select, 0, NULL, NULL, NULL, bad));
  TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, bad, NULL));
  TRY(syscall(SYS_pselect6, fd + 1, set, NULL, NULL, bad, NULL));
  TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, now, bad));
  const int epoll = epoll_create1(0);
  TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, (void*)bad));
  TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, NULL));
  TRY(epoll_ctl(epoll, 77, fd, (void*)bad));
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, also, &(struct epoll_event){EPOLLIN, {0}}) != 0) exit(1);
  TRY(epoll_wait(epoll, (void*)bad, 1, 100));
  TRY(epoll_wait(epoll, (void*)bad, 0, 0));
  TRY(epoll_wait(epoll, (void*)bad, -1, 0));
  TRY(epoll_pwait2(epoll, kept(NULL, 0), 1, wrong, NULL));
  TRY(syscall(SYS_epoll_pwait2, epoll, kept(NULL, 0), 1, bad, NULL, 8));
  close(epoll);
}

static void limits(void) {
  const int resources[] = {RLIMIT_AS, RLIMIT_NPROC, RLIMIT_NOFILE};
  for (int i = 0; i < 3; ++i) {
    TRY(getrlimit(resources[i], (void*)bad));
    TRY(setrlimit(resources[i], (void*)bad));
    TRY(getrlimit(resources[i], NULL));
    TRY(prlimit(0, resources[i], NULL, (void*)bad));
  }
}

// A socket of another kind; for Gaiter, somebody else's.
static void foreign(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || write(pair[1], "abc", 3) != 3) exit(1);
  readiness(pair[0], pair[0]);
  struct msghdr* const wild = kept(NULL, 0);
  wild->msg_control = bad;
  wild->msg_controllen = 64;
  TRY(read(pair[0], bad, 1));
  TRY(sendmsg(pair[0], (void*)bad, 0));
  TRY(sendmsg(pair[0], wild, 0));
  TRY(sendmmsg(pair[0], (void*)bad, 1, 0));
  TRY(recvmsg(pair[0], (void*)bad, 0));
  TRY(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void*)bad, sizeof(struct sockaddr_un)));
  TRY(connect(socket(AF_UNIX, SOCK_STREAM, 0), NULL, 4));
  TRY(accept(-1, (void*)bad, (void*)bad));
  TRY(accept(pair[0], (void*)bad, (void*)bad));
  TRY(accept(0, (void*)bad, (void*)bad));
  limits();
}

static void connecting(void) {
  void* const there = kept(&here, sizeof here);
  TRY(connect(tcp(), (void*)bad, sizeof here));
  TRY(connect(tcp(), (void*)edge, sizeof here));
  TRY(connect(tcp(), NULL, sizeof here));
  TRY(connect(tcp(), there, 0));
  TRY(connect(tcp(), there, 1));
  TRY(connect(tcp(), there, 7));
  TRY(connect(tcp(), there, 200));
  TRY(connect(tcp(), there, (socklen_t)-1));
  TRY(connect(tcp(), (void*)bad, (socklen_t)-1));
  TRY(connect(-1, (void*)bad, sizeof here));
  TRY(connect(0, (void*)bad, sizeof here));
  TRY(syscall(SYS_connect, tcp(), bad, 16));
  // One that failed so leaves the socket as it was, also for who shares it.
  const int fd = tcp();
  TRY(connect(fd, (void*)bad, sizeof here));
  printf("then: %s\n", connect(fd, there, sizeof here) == 0 ? "fine" : strerrorname_np(errno));
  char answer[8];
  if (write(fd, "abcdefgh", 8) != 8 || read(fd, answer, 1) != 1) printf("no answer\n");
  close(fd);
}

static void accepting(int listener) {
  socklen_t* const negative = kept(&(socklen_t){(socklen_t)-1}, sizeof *negative);
  const int waiting = fcntl(listener, F_GETFL);
  fcntl(listener, F_SETFL, waiting | O_NONBLOCK);
  TRY(accept(listener, (void*)bad, (void*)bad));
  TRY(accept(listener, (void*)bad, negative));
  TRY(accept4(listener, NULL, NULL, ~0));
  fcntl(listener, F_SETFL, waiting);
}

static void options(int fd) {
  socklen_t* const four = kept(&(socklen_t){4}, sizeof *four);
  socklen_t* const negative = kept(&(socklen_t){(socklen_t)-1}, sizeof *negative);
  int* const value = kept(NULL, 0);
  for (int i = 0; i < 2; ++i) {
    const int name = i == 0 ? SO_ERROR : SO_RCVLOWAT;
    TRY(getsockopt(fd, SOL_SOCKET, name, bad, four));
    TRY(getsockopt(fd, SOL_SOCKET, name, NULL, four));
    TRY(getsockopt(fd, SOL_SOCKET, name, value, (void*)bad));
    TRY(getsockopt(fd, SOL_SOCKET, name, value, NULL));
    TRY(getsockopt(fd, SOL_SOCKET, name, value, negative));
    TRY(setsockopt(fd, SOL_SOCKET, name, bad, 4));
    TRY(setsockopt(fd, SOL_SOCKET, name, value, 1));
  }
  TRY(ioctl(fd, FIONREAD, bad));
  TRY(ioctl(fd, FIONREAD, NULL));
  TRY(ioctl(fd, TIOCOUTQ, bad));
  TRY(getsockname(fd, (void*)bad, four));
  TRY(getpeername(fd, (void*)here.sin_zero, (void*)bad));
}

static void receiving(int fd) {
  socklen_t* const negative = kept(&(socklen_t){(socklen_t)-1}, sizeof *negative);
  struct sockaddr* const from = kept(NULL, 0);
  char* const room = kept(NULL, 0);
  struct iovec* const pieces = kept(&(struct iovec[]){{room, 1}, {bad, 1}}, 2 * sizeof *pieces);
  struct iovec* const badly = kept(&(struct iovec){bad, 1}, sizeof *badly);
  struct mmsghdr* const message = kept(NULL, 0);
  message->msg_hdr.msg_iov = badly;
  message->msg_hdr.msg_iovlen = 1;
  struct msghdr* const wild = kept(NULL, 0);
  wild->msg_iov = (void*)bad;
  wild->msg_iovlen = 1;
  struct msghdr* const many = kept(wild, sizeof *many);
  many->msg_iovlen = 5000;
  struct msghdr* const named = kept(NULL, 0);
  named->msg_name = from;
  named->msg_namelen = (socklen_t)-1;
  TRY(read(fd, bad, 1));
  TRY(read(fd, bad, 0));
  TRY(read(fd, NULL, 1));
  TRY(recv(fd, bad, 1, 0));
  TRY(recv(fd, bad, 1, MSG_PEEK));
  TRY(recv(fd, bad, 1, MSG_TRUNC));
  TRY(recvfrom(fd, bad, 1, 0, NULL, NULL));
  TRY(recvfrom(fd, room, 1, MSG_PEEK, from, NULL));
  TRY(recvfrom(fd, room, 1, MSG_PEEK, from, negative));
  TRY(recvfrom(fd, room, 1, MSG_PEEK, from, (void*)bad));
  TRY(recvfrom(fd, room, 1, MSG_PEEK, (void*)bad, kept(&(socklen_t){16}, 4)));
  TRY(recvfrom(fd, room, 1, MSG_PEEK, NULL, (void*)bad));
  TRY(syscall(SYS_recvfrom, fd, bad, 1, 0, NULL, NULL));
  TRY(readv(fd, (void*)bad, 1));
  TRY(readv(fd, badly, 1));
  TRY(readv(fd, pieces, -1));
  TRY(readv(fd, pieces, 5000));
  TRY(recvmsg(fd, (void*)bad, 0));
  TRY(recvmsg(fd, NULL, 0));
  TRY(recvmsg(fd, wild, 0));
  TRY(recvmsg(fd, many, 0));
  TRY(recvmsg(fd, named, MSG_PEEK));
  TRY(recvmsg(fd, &message->msg_hdr, 0));
  TRY(recvmmsg(fd, message, 1, 0, NULL));
  TRY(recvmmsg(fd, (void*)bad, 1, 0, NULL));
  TRY(recvmmsg(fd, message, 1, 0, (void*)bad));
  TRY(syscall(SYS_recvmmsg, fd, message, 1, 0, bad));
  TRY(recv(fd, room, 1, MSG_PEEK));  // it is all still there
}

static void sending(int fd) {
  char* const text = kept("abc", 3);
  struct iovec* const badly = kept(&(struct iovec){bad, 1}, sizeof *badly);
  struct iovec* const pieces = kept(&(struct iovec[]){{text, 1}, {bad, 1}}, 2 * sizeof *pieces);
  struct mmsghdr* const message = kept(NULL, 0);
  message->msg_hdr.msg_iov = badly;
  message->msg_hdr.msg_iovlen = 1;
  struct msghdr* const wild = kept(NULL, 0);
  wild->msg_iov = (void*)bad;
  wild->msg_iovlen = 1;
  struct msghdr* const named = kept(NULL, 0);
  named->msg_name = bad;
  named->msg_namelen = 16;
  struct msghdr* const negative = kept(named, sizeof *negative);
  negative->msg_namelen = (socklen_t)-1;
  struct msghdr* const control = kept(NULL, 0);
  control->msg_control = bad;
  control->msg_controllen = 32;
  const int file = open("/proc/self/exe", O_RDONLY);
  TRY(write(fd, bad, 1));
  TRY(write(fd, NULL, 1));
  TRY(send(fd, bad, 1, 0));
  TRY(sendto(fd, text, 1, 0, (void*)bad, 16));
  TRY(sendto(fd, text, 1, 0, (void*)&here, 500));
  TRY(sendto(fd, text, 1, 0, (void*)bad, 0));
  TRY(syscall(SYS_write, fd, bad, 1));
  TRY(writev(fd, (void*)bad, 1));
  TRY(writev(fd, badly, 1));
  TRY(writev(fd, pieces, -1));
  TRY(sendmsg(fd, (void*)bad, 0));
  TRY(sendmsg(fd, NULL, 0));
  TRY(sendmsg(fd, wild, 0));
  TRY(sendmsg(fd, named, 0));
  TRY(sendmsg(fd, negative, 0));
  TRY(sendmsg(fd, control, 0));
  TRY(sendmsg(fd, &message->msg_hdr, 0));
  TRY(sendmmsg(fd, message, 1, 0));
  TRY(sendmmsg(fd, (void*)bad, 1, 0));
  TRY(sendfile(fd, file, (void*)bad, 1));
  close(file);
}

static int serve(int listener) {
  const int fd = accept(listener, NULL, NULL);
  if (fd < 0) return 1;
  char byte;
  if (recv(fd, &byte, 1, MSG_PEEK) != 1) return 1;  // secured before anybody forks
  readiness(fd, fd);
  options(fd);
  receiving(fd);
  sending(fd);
  // Half of it can be read: so much is sent. Of a full read, so much is given.
  memcpy(edge, "12345678", 8);
  printf("at the edge: %zd", write(fd, edge, 16));
  printf(" and %zd\n", read(fd, edge, 8));
  close(fd);
  return 0;
}

static void ask(void) {
  char text[64];
  const int fd = tcp();
  if (connect(fd, (void*)&here, sizeof here) != 0 || write(fd, "abcdefghijkl", 12) != 12) _exit(1);
  while (read(fd, text, sizeof text) > 0) {
  }
  _exit(0);
}

int main(int count, char** words) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  bad = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (count < 2 || bad == MAP_FAILED) return 2;
  bad += page;
  edge = bad - 8;
  mprotect(bad, 2 * page, PROT_NONE);
  if (strcmp(words[1], "without") == 0) {
    foreign();
    return 0;
  }
  here = (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(words[2])),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int listener = tcp();
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
      bind(listener, (void*)&here, sizeof here) != 0 || listen(listener, 4) != 0) {
    return 2;
  }
  if (strcmp(words[1], "server") == 0) {
    foreign();
    accepting(listener);
    const pid_t client = fork();
    if (client == 0) ask();
    const int result = serve(listener);
    waitpid(client, NULL, 0);
    return result;
  }
  const pid_t server = fork();
  if (server == 0) {
    for (;;) {
      char text[64];
      const int fd = accept(listener, NULL, NULL);
      if (fd >= 0 && read(fd, text, sizeof text) > 0 && write(fd, "x", 1) == 1) {
      }
      close(fd);
    }
  }
  connecting();
  kill(server, 9);
  waitpid(server, NULL, 0);
  return 0;
}
