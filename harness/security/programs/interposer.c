// A preload that has connect(2), as proxychains and its kind do. INTERPOSER says what it makes of
// a connection to a TCP port:
//   next     nothing: the next connect's
//   proxy    talks to somebody on a socket of its own, which it puts in the place of the program's
//   same     connects, and then talks on the program's own socket
//   local    puts a local socket in its place
//   kernel   goes past every other library, with the bare system call
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int (*connect_type)(int, const struct sockaddr*, socklen_t);

static int straight(int fd, const struct sockaddr* to, socklen_t length) {
  register long result __asm__("rax") = 42;
  __asm__ volatile("syscall"
                   : "+r"(result)
                   : "D"((long)fd), "S"(to), "d"((long)length)
                   : "rcx", "r11", "memory");
  return result == 0 ? 0 : -1;
}

int connect(int fd, const struct sockaddr* to, socklen_t length) {
  const connect_type next = (connect_type)dlsym(RTLD_NEXT, "connect");
  const char* const how = getenv("INTERPOSER");
  if (how == NULL || to->sa_family == AF_UNIX) return next(fd, to, length);
  const char hello[] = "a word of its own";
  if (strcmp(how, "kernel") == 0) return straight(fd, to, length);
  if (strcmp(how, "proxy") == 0) {
    const int own = socket(to->sa_family, SOCK_STREAM, 0);
    if (own < 0 || next(own, to, length) != 0) return -1;
    if (write(own, hello, sizeof hello) < 0) return -1;
    dup2(own, fd);
    close(own);
    return 0;
  }
  if (strcmp(how, "local") == 0) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
    dup2(ends[0], fd);
    close(ends[0]);
    return 0;
  }
  const int result = next(fd, to, length);
  if (result == 0 && strcmp(how, "same") == 0) return write(fd, hello, sizeof hello) < 0 ? -1 : 0;
  return result;
}
