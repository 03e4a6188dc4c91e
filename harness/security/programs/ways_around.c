// ways_around PORT SECRET: connects to an echo server, tries every known way past
// libc's ordinary calls to send SECRET, and says how each went.
#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char* secret;
static size_t length;
static int fd;

static int look_up_and_connect(const char* port) {
  struct gaicb request = {.ar_name = "localhost", .ar_service = port};
  struct gaicb* list[] = {&request};
  if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) return -1;
  while (gai_error(&request) == EAI_INPROGRESS || gai_error(&request) == EAI_AGAIN)
    gai_suspend((const struct gaicb* const*)list, 1, NULL);
  if (gai_error(&request) != 0) return -1;
  for (struct addrinfo* at = request.ar_result; at != NULL; at = at->ai_next) {
    fd = socket(at->ai_family, SOCK_STREAM, 0);
    if (connect(fd, at->ai_addr, at->ai_addrlen) == 0) return 0;
    close(fd);
  }
  return -1;
}

static void say(const char* way, long result) {
  char echo[200];
  if (result < 0) {
    printf("%s %s\n", way, strerrorname_np(errno));
    return;
  }
  long got = recv(fd, echo, length, MSG_WAITALL);
  printf("%s %s\n", way, got == (long)length && memcmp(echo, secret, length) == 0 ? "echoed"
                                                                                  : "lost");
}

static long asynchronous(void) {
  struct aiocb block = {.aio_fildes = fd, .aio_buf = (void*)secret, .aio_nbytes = length};
  return aio_write(&block);
}

static long asynchronous_list(void) {
  struct aiocb block = {.aio_fildes = fd, .aio_buf = (void*)secret, .aio_nbytes = length,
                        .aio_lio_opcode = LIO_WRITE};
  struct aiocb* list[] = {NULL, &block};
  return lio_listio(LIO_WAIT, list, 2, NULL);
}

static long by_the_kernel(void) {
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, 4, &context) != 0) return -1;
  struct iocb block = {.aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PWRITE,
                       .aio_buf = (uintptr_t)secret, .aio_nbytes = length};
  struct iocb* list[] = {&block};
  return syscall(SYS_io_submit, context, 1L, list);
}

// Pages that the kernel moves by itself; none may reach the socket.
static void by_pipes(void) {
  int ends[2], others[2];
  struct iovec piece = {(void*)secret, length};
  if (pipe(ends) != 0 || pipe(others) != 0 || write(ends[1], secret, length) != (long)length) return;
  say("splice", splice(ends[0], NULL, fd, NULL, length, 0));
  say("syscall-splice", syscall(SYS_splice, ends[0], NULL, fd, NULL, length, 0L));
  say("splice-from", splice(fd, NULL, others[1], NULL, length, SPLICE_F_NONBLOCK));
  say("tee", tee(ends[0], fd, length, 0));
  say("vmsplice", vmsplice(fd, &piece, 1, 0));
  say("copy_file_range", copy_file_range(ends[0], NULL, fd, NULL, length, 0));
}

static long by_a_library(int mode) {
  void* library = dlopen("libplugin.so", mode);  // found by our RUNPATH
  if (library == NULL) {
    puts(dlerror());
    errno = ENOENT;
    return -1;
  }
  long (*go)(int, const void*, unsigned long) =
      (long (*)(int, const void*, unsigned long))dlsym(library, "plugin_send");
  long result = go(fd, secret, length);
  dlclose(library);
  return result;
}

// Options by which the kernel would move the bytes, or tell where they are.
static const char* options(void) {
  static const int names[][2] = {{SOL_SOCKET, SO_ZEROCOPY}, {SOL_SOCKET, SO_PEEK_OFF},
                                 {IPPROTO_TCP, TCP_ULP},    {IPPROTO_TCP, TCP_REPAIR},
                                 {IPPROTO_TCP, TCP_INQ},    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT}};
  int value = 1;
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    if (setsockopt(fd, names[i][0], names[i][1], &value, sizeof value) == 0 || errno != EOPNOTSUPP)
      return "taken";
  }
  struct tcp_zerocopy_receive pages = {0};
  socklen_t size = sizeof pages;
  return getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &pages, &size) != 0 &&
                 errno == EOPNOTSUPP
             ? "refused"
             : "taken";
}

int main(int count, char** words) {
  if (count != 3) return 2;
  secret = words[2];
  length = strlen(secret);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (look_up_and_connect(words[1]) != 0) {
    perror("connect");
    return 1;
  }
  struct iovec piece = {(void*)secret, length};
  say("syscall-write", syscall(SYS_write, fd, secret, length));
  say("syscall-sendto", syscall(SYS_sendto, fd, secret, length, 0, NULL, 0));
  say("syscall-pwritev2", syscall(SYS_pwritev2, fd, &piece, 1L, -1L, -1L, 0L));
  say("dprintf", dprintf(fd, "%s", secret));
  say("aio_write", asynchronous());
  say("lio_listio", asynchronous_list());
  say("io_submit", by_the_kernel());
  struct io_uring ring;
  errno = -io_uring_queue_init(4, &ring, 0);
  say("io_uring", errno != 0 ? -1 : 0);
  int (*by_name)(unsigned, struct io_uring*, unsigned) =
      (int (*)(unsigned, struct io_uring*, unsigned))dlsym(dlopen("liburing.so.2", RTLD_NOW),
                                                           "io_uring_queue_init");
  errno = -by_name(4, &ring, 0);
  say("io_uring-by-name", errno != 0 ? -1 : 0);
  by_pipes();
  printf("options %s\n", options());
  say("dlopen", by_a_library(RTLD_NOW));
  say("deepbind", by_a_library(RTLD_NOW | RTLD_DEEPBIND));
  if (dlmopen(LM_ID_NEWLM, "libplugin.so", RTLD_NOW) == NULL)
    printf("dlmopen %s\n", strstr(dlerror(), "refused by Gaiter") ? "refused" : "failed");
  if (dlmopen(LM_ID_BASE, "libplugin.so", RTLD_NOW | RTLD_DEEPBIND) != NULL) puts("base opened");
  struct sockaddr_storage name;
  socklen_t size = sizeof name;
  printf("peer %ld\n", syscall(SYS_getpeername, fd, &name, &size));
  FILE* stream = fdopen(fd, "r+");
  fputs(secret, stream);
  say("stream", fflush(stream));
  return 0;
}
