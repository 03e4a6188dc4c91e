// Ways for a socket to come to be under a number that no hook gave. escape MODE PORT TEXT connects
// to PORT, where a rule says TLS, and tries to get TEXT there in clear; what it prints is what its
// last calls gave: "echoed" where the text came back, or the name of errno.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/close_range.h>
#include <linux/kcm.h>
#include <linux/nbd.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int port;
static const char* text;

static void said(const char* what, long result) {
  printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

static struct sockaddr_in peer(void) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int begin(void) { return socket(AF_INET, SOCK_STREAM, 0); }

static int join(int fd) {
  const struct sockaddr_in to = peer();
  return connect(fd, (const struct sockaddr*)&to, sizeof to);
}

static int connected(void) {
  const int fd = begin();
  if (join(fd) != 0) {
    perror("connect");
    exit(1);
  }
  return fd;
}

// Writes the text and waits for its echo.
static void speak(const char* what, int fd) {
  const size_t length = strlen(text);
  const ssize_t wrote = write(fd, text, length);
  if (wrote != (ssize_t)length) {
    said(what, -1);
    return;
  }
  char got[256];
  size_t have = 0;
  while (have < length) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    if (poll(&one, 1, 20000) != 1) break;
    const ssize_t more = read(fd, got + have, sizeof got - have);
    if (more <= 0) break;
    have += (size_t)more;
  }
  printf("%s %s\n", what, have == length && memcmp(got, text, length) == 0 ? "echoed" : "lost");
}

static union {
  char room[CMSG_SPACE(sizeof(int))];
  struct cmsghdr head;
} control;
static char byte = 'x';
static struct iovec one_byte = {&byte, 1};

static struct msghdr message(void) {
  return (struct msghdr){.msg_iov = &one_byte,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control.room};
}

static struct msghdr carrying(int fd) {
  struct msghdr one = message();
  struct cmsghdr* const head = CMSG_FIRSTHDR(&one);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
  return one;
}

static long give(int via, int fd, int flags) {
  const struct msghdr one = carrying(fd);
  return sendmsg(via, &one, flags);
}

static long give_many(int via, int fd, int flags) {
  struct mmsghdr one = {.msg_hdr = carrying(fd)};
  return sendmmsg(via, &one, 1, flags);
}

static int taken(const struct msghdr* one) {
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(one)), sizeof fd);
  return fd;
}

static int take(int via, int flags) {
  struct msghdr one = message();
  if (recvmsg(via, &one, flags) < 0) {
    perror("recvmsg");
    exit(1);
  }
  return taken(&one);
}

static int take_many(int via) {
  struct mmsghdr one = {.msg_hdr = message()};
  if (recvmmsg(via, &one, 1, 0, NULL) != 1) {
    perror("recvmmsg");
    exit(1);
  }
  return taken(&one.msg_hdr);
}

static void pair(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) exit(1);
}

static int fetch(int process, int fd, int by_number) {
  const int handle = pidfd_open(process, 0);
  return (int)(by_number ? syscall(SYS_pidfd_getfd, handle, fd, 0) : pidfd_getfd(handle, fd, 0));
}

// ---- a thread with a table of its own ----

static int shared;
static atomic_int step;
static const char* how;

static void await(int wanted) {
  while (atomic_load(&step) < wanted) usleep(1000);
}

static void* part(void* unused) {
  long result;
  if (strcmp(how, "unshare") == 0) {
    result = unshare(CLONE_FILES);
  } else if (strcmp(how, "syscall-unshare") == 0) {
    result = syscall(SYS_unshare, CLONE_FILES);
  } else {
    result = close_range(shared + 1, ~0u, CLOSE_RANGE_UNSHARE);
  }
  said(how, result);
  if (result == 0) close(shared);  // of this thread's table, if it has one
  atomic_store(&step, 1);
  await(2);
  return unused;
}

static void part_tables(void) {
  pthread_t thread;
  shared = connected();
  pthread_create(&thread, NULL, part, NULL);
  await(1);
  speak("write", shared);
  atomic_store(&step, 2);
  pthread_join(thread, NULL);
}

static int nothing(void* unused) {
  (void)unused;
  return 0;
}

static void clone_parted(unsigned long flags) {
  static char stack[1 << 16];
  said("clone", clone(nothing, stack + sizeof stack, (int)(flags | SIGCHLD), NULL));
  said("syscall", syscall(SYS_clone, flags | SIGCHLD, stack + sizeof stack, 0, 0, 0));
  unsigned long wanted[11] = {flags, 0, 0, 0, SIGCHLD, (unsigned long)stack, sizeof stack};
  said("clone3", syscall(SYS_clone3, wanted, sizeof wanted));
}

// A helper that was forked before there was a socket connects one that is passed to it.
static void use_broker(int speaks_itself) {
  int ends[2];
  pair(ends);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    const int fd = take(ends[1], 0);
    const char answer = join(fd) == 0 ? 'y' : 'n';
    if (write(ends[1], &answer, 1) != 1) _exit(1);
    char wait;
    if (read(ends[1], &wait, 1) != 1) _exit(1);
    if (speaks_itself) speak("helper", fd);
    _exit(0);
  }
  close(ends[1]);
  const int fd = begin();
  said("pass", give(ends[0], fd, 0));
  char answer = 0;
  if (read(ends[0], &answer, 1) != 1) exit(1);
  printf("helper connected: %c\n", answer);
  fflush(stdout);
  if (speaks_itself) {
    close(fd);
  } else {
    speak("write", fd);
    said("send", send(fd, text, strlen(text), MSG_NOSIGNAL));
    said("read", read(fd, &answer, 1));
  }
  if (write(ends[0], "x", 1) != 1) exit(1);
  waitpid(child, NULL, 0);
}

// A stranger: whoever takes the message, no hook guards what it holds.
static void pass_to_stranger(void) {
  int ends[2];
  pair(ends);
  const int fd = begin();
  said("pass", give(ends[0], fd, 0));
  struct msghdr one = message();
  if (syscall(SYS_gettid) != 0) {
    // Past every hook, as a program would that Gaiter is not in.
    register long result __asm__("rax") = SYS_recvmsg;
    register struct msghdr* at __asm__("rsi") = &one;
    __asm__ volatile("syscall"
                     : "+r"(result)
                     : "D"((long)ends[1]), "r"(at), "d"(0L)
                     : "rcx", "r11", "memory");
    if (result < 0) exit(1);
  }
  said("connect", join(fd));
}

int main(int count, char** arguments) {
  if (count != 4) return 2;
  how = arguments[1];
  port = atoi(arguments[2]);
  text = arguments[3];
  setbuf(stdout, NULL);
  signal(SIGPIPE, SIG_IGN);
  int ends[2];
  pair(ends);
  if (strcmp(how, "pidfd") == 0 || strcmp(how, "syscall-pidfd") == 0) {
    speak("write", fetch(getpid(), connected(), how[0] == 's'));
  } else if (strcmp(how, "pidfd-early") == 0) {
    const int fd = begin(), other = fetch(getpid(), fd, 0);
    said("connect", join(fd));
    speak("write", other);
  } else if (strcmp(how, "pidfd-child") == 0) {
    // A child's socket, which the child connects after its parent has fetched it.
    const pid_t child = fork();
    if (child == 0) {
      dup2(begin(), 50);
      if (write(ends[1], "r", 1) != 1 || read(ends[1], &byte, 1) != 1) _exit(1);
      byte = join(50) == 0 ? 'y' : 'n';
      if (write(ends[1], &byte, 1) != 1 || read(ends[1], &byte, 1) != 1) _exit(1);
      _exit(0);
    }
    if (read(ends[0], &byte, 1) != 1) return 1;
    const int fd = fetch(child, 50, 0);
    if (write(ends[0], "g", 1) != 1 || read(ends[0], &byte, 1) != 1) return 1;
    printf("child connected: %c\n", byte);
    speak("write", fd);
    if (write(ends[0], "g", 1) != 1) return 1;
    waitpid(child, NULL, 0);
  } else if (strcmp(how, "unshare") == 0 || strcmp(how, "syscall-unshare") == 0 ||
             strcmp(how, "close_range") == 0) {
    part_tables();
  } else if (strcmp(how, "clone-files") == 0) {
    clone_parted(CLONE_FILES);
  } else if (strcmp(how, "clone-vm") == 0) {
    clone_parted(CLONE_VM);
  } else if (strcmp(how, "early") == 0 || strcmp(how, "early-many") == 0) {
    const int fd = begin();
    said("pass", how[5] ? give_many(ends[0], fd, 0) : give(ends[0], fd, 0));
    const int other = how[5] ? take_many(ends[1]) : take(ends[1], 0);
    said("connect", join(fd));
    speak("write", other);
  } else if (strcmp(how, "peeked") == 0) {
    const int fd = begin();
    said("pass", give(ends[0], fd, 0));
    const int other = take(ends[1], MSG_PEEK);
    said("connect", join(fd));  // one more is under way to nobody knows whom
    take(ends[1], 0);
    said("again", join(fd));
    speak("write", other);
  } else if (strcmp(how, "not-sent") == 0) {
    const int fd = begin();
    close(ends[1]);
    said("pass", give(ends[0], fd, MSG_NOSIGNAL));
    said("connect", join(fd));
    speak("write", fd);
  } else if (strcmp(how, "flag") == 0 || strcmp(how, "flag-many") == 0) {
    const int fd = connected();
    said("pass", how[4] ? give_many(ends[0], fd, MSG_FASTOPEN) : give(ends[0], fd, MSG_FASTOPEN));
    speak("write", take(ends[1], 0));
  } else if (strcmp(how, "stranger") == 0) {
    pass_to_stranger();
  } else if (strcmp(how, "broker") == 0 || strcmp(how, "helper") == 0) {
    use_broker(how[0] == 'h');
  } else if (strcmp(how, "fastopen") == 0) {
    const struct sockaddr_in to = peer();
    const int fd = fetch(getpid(), begin(), 0), yes = 1;
    struct iovec piece = {(void*)text, strlen(text)};
    struct mmsghdr one = {.msg_hdr = {.msg_name = (void*)&to,
                                      .msg_namelen = sizeof to,
                                      .msg_iov = &piece,
                                      .msg_iovlen = 1}};
    said("sendto", sendto(fd, text, piece.iov_len, MSG_FASTOPEN, (void*)&to, sizeof to));
    said("sendmsg", sendmsg(fd, &one.msg_hdr, MSG_FASTOPEN));
    said("sendmmsg", sendmmsg(fd, &one, 1, MSG_FASTOPEN));
    said("syscall", syscall(SYS_sendto, fd, text, piece.iov_len, MSG_FASTOPEN, &to, sizeof to));
    said("option", setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &yes, sizeof yes));
  } else if (strcmp(how, "kernel") == 0) {
    const int fd = connected(), device = open("/dev/null", O_RDWR);
    struct kcm_attach attach = {.fd = fd};
    said("block device", ioctl(device, NBD_SET_SOCK, fd));
    said("multiplexor", ioctl(device, SIOCKCMATTACH, &attach));
    speak("write", fd);
  } else if (strcmp(how, "sockmap") == 0) {
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_SOCKMAP,
                          .key_size = sizeof(int),
                          .value_size = sizeof(int),
                          .max_entries = 1};
    const int fd = connected(), key = 0;
    map.map_fd = syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map);
    if ((int)map.map_fd < 0) return printf("no bpf\n"), 0;
    union bpf_attr entry = {.map_fd = map.map_fd, .key = (uintptr_t)&key, .value = (uintptr_t)&fd};
    said("sockmap", syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &entry, sizeof entry));
    speak("write", fd);
  } else if (strcmp(how, "stream") == 0) {
    const int fd = begin();
    said("pass", give(ends[0], fd, 0));
    printf("fdopen %s\n", fdopen(take(ends[1], 0), "w") == NULL ? strerrorname_np(errno) : "ok");
  } else {
    return 2;
  }
  return 0;
}
