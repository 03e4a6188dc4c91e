// sandbox PORT EMPTY WHEN ACTION: an echo server for one connection which, as daemons that fear
// their own code do, goes into the empty directory EMPTY, gives its user up and allows itself from
// there on what it needs and what the manual names. WHEN is "before" or "after" the first bytes,
// or "too late": before them, but as if it were after. ACTION is what the kernel does about any
// other call: "kill", or "errno" (EPERM).
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const unsigned allowed[] = {
    SYS_read, SYS_write, SYS_poll, SYS_close, SYS_exit_group, SYS_rt_sigreturn,
    SYS_mmap, SYS_munmap, SYS_brk,                           // its allocator's
    SYS_recvfrom, SYS_sendto, SYS_ppoll, SYS_fcntl, SYS_getpid, SYS_getsockopt,  // the manual's,
    SYS_futex, SYS_getrandom, SYS_getsockname, SYS_madvise,  // for handshakes,
    SYS_openat, SYS_newfstatat};                             // for the log
enum { without_handshakes = 15 };

static void enter(size_t count, unsigned otherwise) {
  struct sock_filter filter[2 * sizeof allowed / sizeof *allowed + 2];
  size_t at = 0;
  filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                              offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < count; ++i) {
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
  struct sock_fprog program = {(unsigned short)at, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("seccomp");
    _exit(4);
  }
}

int main(int count, char** words) {
  if (count != 5) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 5) != 0)
    return 3;
  int fd = accept(listener, NULL, NULL);
  char data[1000];
  ssize_t got = 0;
  bool after = strcmp(words[3], "after") == 0;
  if (after) {
    got = read(fd, data, sizeof data);
    if (got > 0) got = write(fd, data, (size_t)got);
  }
  if (chroot(words[2]) != 0 || chdir("/") != 0 || setgroups(0, NULL) != 0 || setgid(65534) != 0 ||
      setuid(65534) != 0) {
    perror("privileges");
    return 4;
  }
  enter(strcmp(words[3], "before") != 0 ? without_handshakes : sizeof allowed / sizeof *allowed,
        strcmp(words[4], "kill") == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM);
  for (;;) {
    struct pollfd wait = {fd, POLLIN, 0};
    poll(&wait, 1, -1);
    got = read(fd, data, sizeof data);
    if (got <= 0) break;
    for (ssize_t done = 0; done < got;) {
      ssize_t sent = write(fd, data + done, (size_t)(got - done));
      if (sent <= 0) _exit(5);
      done += sent;
    }
  }
  close(fd);
  _exit(got == 0 ? 0 : 6);
}
