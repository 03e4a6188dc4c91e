// What still runs when a program ends, and what runs first.
#include <stdatomic.h>

#include "issues.h"

static int last_fd = -1;
static const char* last_words;

static void speak(void) {
  if (last_fd >= 0) write_exactly(last_fd, SECRET, SECRET_LENGTH);
}

// Runs after every handler of atexit(3), and after the destructors of libraries that
// were opened later.
__attribute__((destructor(101))) static void speak_at_the_very_end(void) {
  if (last_words != NULL) speak();
}

static void counts_to_the_end(int fd) {
  hand_over();
  static char data[1000];
  size_t total = 0;
  ssize_t got;
  while ((got = read(fd, data, sizeof data)) > 0) total += (size_t)got;
  report(got == 0 ? total : 0);
  await_turn();
}

// In a child, since a case must go on.
static void speaks_in_destructors(int fd, bool subject) {
  if (!subject) {
    counts_to_the_end(fd);
    return;
  }
  pid_t child = fork();
  if (child == 0) {
    last_fd = fd;
    last_words = SECRET;
    atexit(speak);
    exit(0);
  }
  close(fd);
  int status = -1;
  waitpid(child, &status, 0);
  say("status %d", status);
  say("heard %lu", (unsigned long)reported());
  hand_over();
}

static atomic_bool go;
static int number;

static void* talks_on(void* argument) {
  static __thread char data[SECRET_LENGTH];
  int fd = *(int*)argument;
  for (;;) {
    if (send(fd, SECRET, SECRET_LENGTH, MSG_NOSIGNAL) < 0) break;
    if (read_exactly(fd, data, sizeof data) != sizeof data) break;
    go = true;
  }
  for (;;) pause();
  return NULL;
}

static void* connects_on(void* unused) {
  for (;;) {
    int fd = make_client(number);
    if (fd < 0) continue;
    write_exactly(fd, "x", 1);
    close(fd);
  }
  return unused;
}

// exit(3) while others send, receive and shake hands.
static void exits_amid_threads(int fd, bool subject) {
  if (!subject) {
    hand_over();
    char data[1000];
    ssize_t got;
    while ((got = read(fd, data, sizeof data)) > 0) write_exactly(fd, data, (size_t)got);
    await_turn();
    return;
  }
  // Who has no other end to connect to hears that it is refused: handshakes or not.
  number = is_server ? 1 : via;
  int worst = 0;
  for (int i = 0; i < 15; ++i) {
    pid_t child = fork();
    if (child == 0) {
      pthread_t thread;
      go = i > 0;  // two may not talk on the one connection at once
      if (i == 0) pthread_create(&thread, NULL, talks_on, &fd);
      for (int j = 0; j < 3; ++j) pthread_create(&thread, NULL, connects_on, NULL);
      while (!go) nap(1);
      nap(i);
      exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    worst |= status;
  }
  say("worst %d", worst);
  close(fd);
  hand_over();
}

enum { many = 16 };
static pthread_barrier_t barrier;
static atomic_int succeeded;

static void* connects_first(void* unused) {
  char answer[SECRET_LENGTH];
  pthread_barrier_wait(&barrier);
  int fd = make_client(via);
  if (fd >= 0 && write_exactly(fd, SECRET, SECRET_LENGTH) &&
      read_exactly(fd, answer, SECRET_LENGTH) == SECRET_LENGTH) {
    ++succeeded;
  }
  close(fd);
  return unused;
}

static void* echoes_once(void* argument) {
  char data[SECRET_LENGTH];
  int fd = (int)(intptr_t)argument;
  if (read_exactly(fd, data, sizeof data) == sizeof data) write_exactly(fd, data, sizeof data);
  read(fd, data, 1);
  close(fd);
  return NULL;
}

// The first socket calls of a process, all at once.
static void first_calls_at_once(int unused, bool subject) {
  (void)unused;
  pthread_t thread[many];
  if (is_server) {
    int listener = make_listener(&port);
    hand_over();
    for (int i = 0; i < many; ++i)
      pthread_create(thread + i, NULL, echoes_once, (void*)(intptr_t)accept(listener, NULL, NULL));
  } else {
    await_turn();
    pthread_barrier_init(&barrier, NULL, many);
    for (int i = 0; i < many; ++i) pthread_create(thread + i, NULL, connects_first, NULL);
  }
  for (int i = 0; i < many; ++i) pthread_join(thread[i], NULL);
  if (!is_server && !subject) report((uint64_t)succeeded);
  if (is_server) {
    if (subject) say("succeeded %lu", (unsigned long)reported());
    await_turn();
    hand_over();
  } else {
    if (subject) say("succeeded %d", succeeded);
    yield();
  }
}

const struct scenario exit_cases[] = {{"speaks_in_destructors", speaks_in_destructors, false},
                                      {"exits_amid_threads", exits_amid_threads, false},
                                      {"first_calls_at_once", first_calls_at_once, true},
                                      {0}};
