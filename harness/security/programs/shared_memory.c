// A server whose child, of another user, is broken: it inherited one connection (A), and looks
// for, or writes over, all memory that it shares with its parent, which serves a younger
// connection (B) too.
// usage: shared_memory PORT look SECRET_FILE | one SEED | random SEED
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { page = 4096, most_pages = 4096 };
static const char marker[] = "this must never be read on the wire";
static unsigned char* shared[most_pages];
static int pages;

// Every page of shared memory that is there and can be written.
static void find_shared(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[512], rights[8];
  unsigned long from, to;
  unsigned char there;
  pages = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || strcmp(rights, "rw-s") != 0) continue;
    for (unsigned long at = from; at < to && pages < most_pages; at += page)
      if (mincore((void*)at, page, &there) == 0 && (there & 1) != 0)
        shared[pages++] = (unsigned char*)at;
  }
  fclose(maps);
}

static void become_nobody(void) {
  if (getuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
                        setresuid(65534, 65534, 65534) != 0)) {
    _exit(2);
  }
}

// The secret, in hexadecimal digits, comes when the younger connection has one.
static int look(const char* path) {
  char digits[200] = "";
  unsigned char secret[100];
  struct stat status;
  for (int i = 0; i < 200 && stat(path, &status) != 0; ++i) usleep(100000);
  FILE* file = fopen(path, "r");
  if (file == NULL || fscanf(file, "%199s", digits) != 1) return 2;
  const size_t length = strlen(digits) / 2;
  for (size_t i = 0; i < length; ++i) sscanf(digits + 2 * i, "%2hhx", &secret[i]);
  find_shared();
  for (int i = 0; i < pages; ++i)
    if (memmem(shared[i], page, secret, length) != NULL) return 1;
  printf("looked at some pages: %d\n", pages > 0);
  return 0;
}

static void scribble(const char* how, unsigned seed) {
  srandom(seed);
  for (;;) {
    find_shared();
    if (strcmp(how, "one") == 0) {
      for (int i = 0; i < pages; ++i) {
        for (int at = 0; at < page; ++at) {
          const unsigned char before = shared[i][at];
          shared[i][at] = (unsigned char)random();
          if (random() % 64 == 0) usleep(1);
          if (random() % 2 == 0) shared[i][at] = before;
        }
      }
    } else {
      for (int i = 0; i < 100000; ++i) {
        unsigned char* const at = shared[random() % pages] + random() % (page - 8);
        const uint64_t value = random() % 3 == 0 ? 0 : (uint64_t)random() << 32 | (unsigned)random();
        memcpy(at, &value, (size_t)(1 << random() % 4));
      }
    }
  }
}

// Whatever becomes of it: the peer's end, or an error.
static void use(int fd) {
  char bytes[3000];
  struct pollfd one = {fd, POLLIN | POLLOUT, 0};
  poll(&one, 1, 0);
  recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  send(fd, marker, sizeof marker, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// A lock that is lied about is waited for, but not for ever: what was slow is left alone then.
static int was_slow(time_t since) { return time(NULL) - since > 2; }

int main(int count, char** words) {
  if (count < 4) return 2;
  const int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  const int set = epoll_create1(0);
  setbuf(stdout, NULL);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(words[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 8) != 0)
    return 2;
  char bytes[3000];
  const int a = accept(listener, NULL, NULL);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = a};
  if (read(a, bytes, sizeof bytes) <= 0 || epoll_ctl(set, EPOLL_CTL_ADD, a, &event) != 0) return 2;
  const int looks = strcmp(words[2], "look") == 0;
  const pid_t child = fork();
  if (child == 0) {
    close(listener);
    if (looks) {
      become_nobody();
      _exit(look(words[3]));
    }
    scribble(words[2], (unsigned)atoi(words[3]));
  }
  const int b = accept(listener, NULL, NULL);
  event.data.fd = b;
  epoll_ctl(set, EPOLL_CTL_ADD, b, &event);
  long served = 0;
  int a_is_slow = 0, set_is_slow = 0;
  for (ssize_t got; (got = read(b, bytes, sizeof bytes)) > 0; served += got) {
    for (ssize_t at = 0; at < got;) {
      const ssize_t sent = write(b, bytes + at, (size_t)(got - at));
      if (sent <= 0) {
        printf("cannot write: %s\n", strerror(errno));
        return 1;
      }
      at += sent;
    }
    const time_t before = time(NULL);
    if (!looks && !a_is_slow) {
      use(a);
      a_is_slow = was_slow(before);
    }
    if (!looks && !set_is_slow) {
      const time_t now = time(NULL);
      struct epoll_event events[4];
      epoll_wait(set, events, 4, 0);
      set_is_slow = was_slow(now);
    }
  }
  int status = 0;
  if (!looks) kill(child, SIGKILL);
  waitpid(child, &status, 0);
  if (looks && status != 0) printf("the child found the secret, or could not look: %d\n", status);
  printf("served %ld\n", served);
  return 0;
}
