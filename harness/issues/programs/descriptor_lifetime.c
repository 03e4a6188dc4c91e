#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "issues.h"

static char buffer[1000];

WITH_ECHO(double_close) {
  ping(fd, "open");
  tell("close", close(fd));
  tell("again", close(fd));
  say("clean end: %lu", (unsigned long)reported());
  int file = memfd_create("file", 0);
  say("reused %d", file == fd);
  tell("write", write(fd, SECRET, SECRET_LENGTH));
  tell("pread", pread(fd, buffer, sizeof buffer, 0));
  tell("close", close(fd));
  tell("again", close(fd));
  tell("of a range", close_range((unsigned)fd, (unsigned)fd, 0));
  hand_over();
}

static long close_by_the_kernel(long fd) {
#if defined(__x86_64__)
  long result = SYS_close;
  __asm__ volatile("syscall" : "+a"(result) : "D"(fd) : "rcx", "r11", "memory");
  return result;
#else
  register long number __asm__("x8") = SYS_close;
  register long result __asm__("x0") = fd;
  __asm__ volatile("svc 0" : "+r"(result) : "r"(number) : "memory");
  return result;
#endif
}

// The number of a connection that no hook saw closed means a file, then a connection
// again. The file may refuse what is written, but must not hold what was sealed.
static void closed_out_of_sight(int unused, bool subject) {
  (void)unused;
  enum { rounds = 20 };
  int listener = listen_first();
  int good = 0, whole = 0;
  for (int i = 0; i < rounds; ++i) {
    int fd = is_server ? accept(listener, NULL, NULL) : make_client(via);
    if (!is_server) write_exactly(fd, SECRET, SECRET_LENGTH);
    good += read_exactly(fd, buffer, SECRET_LENGTH) == SECRET_LENGTH;
    if (is_server) write_exactly(fd, SECRET, SECRET_LENGTH);
    if (!subject) {
      read(fd, buffer, 1);
      close(fd);
      continue;
    }
    close_by_the_kernel(fd);
    int file = memfd_create("file", 0);
    write(file, SECRET, SECRET_LENGTH);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int second = open(path, O_RDONLY);
    ssize_t held = read(second, buffer, sizeof buffer);
    whole += file == fd && (held == 0 || held == SECRET_LENGTH) &&
             memcmp(buffer, SECRET, SECRET_LENGTH) == 0;
    close_by_the_kernel(file);
    close(second);
  }
  if (subject) say("%d answered, %d files", good, whole);
  end_together();
}

// ---- what another thread does meanwhile ----

struct waiter {
  int fd;
  volatile pid_t thread;
  long result;
  int error;
  short events;
};

// Until the thread sleeps in the kernel; where, /proc does not tell everybody.
static void await_sleep(const struct waiter* waiter) {
  char path[64], state = 0;
  while (waiter->thread == 0) nap(1);
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", waiter->thread);
  for (int calm = 0; calm < 3; nap(5)) {
    FILE* stat = fopen(path, "r");
    if (stat == NULL || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) return;
    fclose(stat);
    calm = state == 'S' ? calm + 1 : 0;
  }
}

static void* receives(void* argument) {
  struct waiter* waiter = argument;
  waiter->thread = gettid();
  waiter->result = recv(waiter->fd, buffer, sizeof buffer, 0);
  waiter->error = errno;
  return NULL;
}

static void* polls(void* argument) {
  struct waiter* waiter = argument;
  waiter->thread = gettid();
  struct pollfd one = {waiter->fd, POLLIN, 0};
  waiter->result = poll(&one, 1, 5000);
  waiter->error = errno;
  waiter->events = one.revents;
  return NULL;
}

static void* accepts(void* argument) {
  struct waiter* waiter = argument;
  waiter->thread = gettid();
  waiter->result = accept(waiter->fd, NULL, NULL);
  waiter->error = errno;
  return NULL;
}

static pthread_t wait_in_thread(struct waiter* waiter, void* (*wait)(void*)) {
  pthread_t thread;
  pthread_create(&thread, NULL, wait, waiter);
  await_sleep(waiter);
  return thread;
}

static void end_of(pthread_t thread, const char* what, const struct waiter* waiter) {
  pthread_join(thread, NULL);
  errno = waiter->error;
  tell(what, waiter->result);
}

// The peer of what sleeps: says one thing when asked, then hears the end.
static void speaks_once(int fd) {
  yield();
  write_exactly(fd, SECRET, SECRET_LENGTH);
  report(read(fd, buffer, sizeof buffer) == 0);
  await_turn();
}

static void dup2_over_a_waiter(int fd, bool subject) {
  if (!subject) {
    speaks_once(fd);
    return;
  }
  struct waiter waiter = {.fd = fd};
  pthread_t thread = wait_in_thread(&waiter, receives);
  int null = open("/dev/null", O_RDWR);
  say("dup2 %d", dup2(null, fd) == fd);
  tell("write", write(fd, SECRET, SECRET_LENGTH));
  hand_over();
  end_of(thread, "recv", &waiter);
  say("clean end: %lu", (unsigned long)reported());
  hand_over();
}

static void closed_under_poll(int fd, bool subject) {
  if (!subject) {
    speaks_once(fd);
    return;
  }
  struct waiter waiter = {.fd = fd};
  pthread_t thread = wait_in_thread(&waiter, polls);
  tell("close", close(fd));
  hand_over();
  end_of(thread, "poll", &waiter);
  reported();
  hand_over();
}

static void accept_of_a_closed_listener(int unused, bool subject) {
  (void)unused;
  if (!subject) {
    yield();
    return;
  }
  int number = port;
  struct waiter waiter = {.fd = make_listener(&number)};
  pthread_t thread = wait_in_thread(&waiter, accepts);
  tell("shutdown", shutdown(waiter.fd, SHUT_RDWR));
  end_of(thread, "accept", &waiter);
  tell("close", close(waiter.fd));
  tell("accept", accept(waiter.fd, NULL, NULL));
  waiter = (struct waiter){.fd = make_listener(&number)};
  thread = wait_in_thread(&waiter, accepts);
  tell("close", close(waiter.fd));  // the kernel goes on listening for who is in accept()
  int client = make_client(number);
  say("connected %d", client >= 0);
  pthread_join(thread, NULL);
  say("accepted %d", waiter.result >= 0);
  char answer[SECRET_LENGTH];
  int server = (int)waiter.result;
  write_exactly(client, SECRET, SECRET_LENGTH);
  tell("read", (long)read_exactly(server, answer, SECRET_LENGTH));
  close(client);
  tell("read", read(server, answer, 1));
  close(server);
  tell("connect", make_client(number));
  hand_over();
}

WITH_ECHO(duplicated_epoll_set) {
  ping(fd, "open");
  int set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
  tell("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
  int copy = dup(set);
  close(set);
  write_exactly(fd, SECRET, SECRET_LENGTH);
  event.data.u32 = 0;
  tell("wait", epoll_wait(copy, &event, 1, 5000));
  say("%u", event.data.u32);
  tell("read", (long)read_exactly(fd, buffer, SECRET_LENGTH));
  tell("wait", epoll_wait(copy, &event, 1, 0));
  int file = memfd_create("file", 0);
  say("reused %d", file == set);
  tell("not a set", epoll_wait(file, &event, 1, 0));
  tell("mod", epoll_ctl(copy, EPOLL_CTL_MOD, fd, &(struct epoll_event){.events = EPOLLOUT}));
  tell("wait", epoll_wait(copy, &event, 1, 1000));
  close(copy);
  ping(fd, "without a set");
  close(fd);
  finish();
}

// ---- whose numbers are whose ----

static void list_numbers(const char* when) {
  DIR* folder = opendir("/proc/self/fd");
  for (struct dirent* one; (one = readdir(folder)) != NULL;)
    if (one->d_name[0] != '.' && atoi(one->d_name) != dirfd(folder))
      say("%s %s", when, one->d_name);
  closedir(folder);
}

WITH_ECHO(numbers_of_its_own) {
  ping(fd, "open");
  list_numbers("open");
  int null = memfd_create("null", 0);
  bool taken[60] = {0};
  for (int number = 0; number < 60; ++number) {
    taken[number] = fcntl(number, F_GETFD) < 0;
    if (taken[number]) dup2(null, number);
  }
  ping(fd, "without a free number");
  int second = dup2(fd, 70);
  ping(second, "as 70");
  close(fd);
  ping(second, "alone");
  tell("nothing was written", lseek(null, 0, SEEK_END));
  for (int number = 0; number < 60; ++number)
    if (taken[number]) close(number);
  close(null);
  list_numbers("closed");
  close(second);
  finish();
}

// One thread duplicates a number, and writes to what it got, while another closes that number.
static int contested;
static atomic_int rounds_begun, rounds_ended;
enum { many_rounds = 20000 };

static void* duplicate_and_write(void* unused) {
  (void)unused;
  for (int round = 1; round <= many_rounds; ++round) {
    while (rounds_begun < round) sched_yield();
    int copy = dup(contested);
    if (copy >= 0) {
      send(copy, SECRET, SECRET_LENGTH, MSG_DONTWAIT | MSG_NOSIGNAL);
      close(copy);
    }
    rounds_ended = round;
  }
  return NULL;
}

static void duplicated_while_closed(int fd, bool subject) {
  if (!subject) {
    hand_over();
    drain(fd, NULL);
    await_turn();
    return;
  }
  pthread_t thread;
  pthread_create(&thread, NULL, duplicate_and_write, NULL);
  for (int round = 1; round <= many_rounds; ++round) {
    contested = dup(fd);
    rounds_begun = round;
    for (volatile int i = round % 64 * 16; i > 0; --i) {
    }
    close(contested);
    while (rounds_ended < round) sched_yield();
  }
  pthread_join(thread, NULL);
  tell("close", close(fd));
  hand_over();
}

static ssize_t cookie_write(void* cookie, const char* data, size_t length) {
  (void)cookie;
  (void)data;
  return (ssize_t)length;
}

WITH_ECHO(streams_without_a_number) {
  ping(fd, "open");
  char* text = NULL;
  size_t length = 0;
  FILE* stream = open_memstream(&text, &length);
  fputs("memory", stream);
  tell("fileno", fileno(stream));
  tell("fclose", fclose(stream));
  say("%s %zu", text, length);
  free(text);
  stream = fmemopen(buffer, sizeof buffer, "w");
  fputs("memory", stream);
  tell("fclose", fclose(stream));
  stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = cookie_write});
  fputs("cookie", stream);
  tell("fclose", fclose(stream));
  stream = fdopen(dup(fd), "r+");
  tell("fclose", fclose(stream));
  ping(fd, "still");
  close(fd);
  finish();
}

const struct scenario lifetime_cases[] = {
    {"double_close", double_close, false},
    {"closed_out_of_sight", closed_out_of_sight, true},
    {"dup2_over_a_waiter", dup2_over_a_waiter, false},
    {"closed_under_poll", closed_under_poll, false},
    {"accept_of_a_closed_listener", accept_of_a_closed_listener, true},
    {"duplicated_epoll_set", duplicated_epoll_set, false},
    {"numbers_of_its_own", numbers_of_its_own, false},
    {"duplicated_while_closed", duplicated_while_closed, false},
    {"streams_without_a_number", streams_without_a_number, false},
    {0}};
