// child PORT SECRET [FD]: a program that Gaiter cannot be in, if it is linked so. Tries all ways
// to a TCP socket that do not need a friend, and to send SECRET in clear; says what it got. With
// FD, a socket that it has inherited: tries to write there, and to lead it elsewhere.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char* secret;
static struct sockaddr_in peer;

static void say(const char* what, long result) {
  printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
}

static void send_over(const char* what, int fd) {
  if (fd >= 0 && connect(fd, (struct sockaddr*)&peer, sizeof peer) == 0)
    fd = (int)write(fd, secret, strlen(secret));
  else
    fd = -1;
  say(what, fd);
}

int main(int count, char** words) {
  if (count > 1 && words[1][0] == '/') {  // the script whose interpreter this is
    ++words;
    --count;
  }
  if (count < 3) return 2;
  secret = words[2];
  peer = (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(words[1])),
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
  setbuf(stdout, NULL);
  if (count > 3) {
    int fd = atoi(words[3]);
    say("write", write(fd, secret, strlen(secret)));
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    say("disconnect", connect(fd, &nobody, sizeof nobody));
    send_over("elsewhere", fd);
    say("fastopen", sendto(fd, secret, strlen(secret), MSG_FASTOPEN, (struct sockaddr*)&peer,
                           sizeof peer));
    return 0;
  }
  send_over("inet", socket(AF_INET, SOCK_STREAM, 0));
  send_over("inet6", socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  send_over("mptcp", socket(AF_INET, SOCK_STREAM, 262));
  send_over("smc", socket(AF_SMC, SOCK_STREAM, 0));
  say("uring", syscall(SYS_io_uring_setup, 1, NULL));
  say("pidfd", syscall(SYS_pidfd_getfd, -1, 0, 0));
#ifdef __x86_64__
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(0x40000000 | SYS_socket), "D"(AF_INET), "S"(SOCK_STREAM), "d"(0)
                   : "rcx", "r11", "memory");
  printf("x32 %ld\n", result);
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(359), "b"(AF_INET), "c"(SOCK_STREAM), "d"(0));
  printf("i386 %ld\n", result);
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(1), "c"(0));
  printf("socketcall %ld\n", result);
#endif
  say("udp", socket(AF_INET, SOCK_DGRAM, 0));
  say("unix", socket(AF_UNIX, SOCK_STREAM, 0));
  return 0;
}
