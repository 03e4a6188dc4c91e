// What fork, vfork, exec and daemon do to a library's state.
#include <dirent.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "issues.h"

extern char** environ;

static char buffer[1000];

// Between vfork and exec everything that is done is done to the parent's memory.
WITH_ECHO(closed_between_vfork_and_exec) {
  ping(fd, "before");
  volatile uintptr_t frame = 0;
  for (int i = 0; i < 20; ++i) {
    pid_t child = vfork();
    if (child == 0) {
      frame = (uintptr_t)__builtin_frame_address(0);
      int null = open("/dev/null", O_RDWR);
      dup2(null, fd);
      dup2(null, 0);
      close(null);
      shutdown(null, SHUT_RDWR);
      for (int number = 3; number < 100; ++number) close(number);
      closefrom(3);
      execlp("true", "true", (char*)NULL);
      _exit(1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (status != 0) say("child %d", status);
    if (i % 5 == 0) ping(fd, "after one");
  }
  say("aligned %d", frame % 16 == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  char* words[] = {"true", NULL};
  pid_t child = 0;
  tell("posix_spawn", posix_spawnp(&child, "true", &actions, NULL, words, environ));
  waitpid(child, NULL, 0);
  ping(fd, "after all");
  close(fd);
  finish();
}

// A child's close of connection and listener is nobody else's.
static void closed_in_the_child(int unused, bool subject) {
  (void)unused;
  int listener = listen_first();
  for (int i = 0; i < 2; ++i) {
    int fd = is_server ? accept(listener, NULL, NULL) : make_client(via);
    if (!subject) {
      ssize_t got;
      while ((got = read(fd, buffer, sizeof buffer)) > 0) write_exactly(fd, buffer, (size_t)got);
      close(fd);
      continue;
    }
    ping(fd, "before");
    pid_t child = fork();
    if (child == 0) {
      shutdown(listener, -1);
      close(listener);
      close(fd);
      exit(0);
    }
    waitpid(child, NULL, 0);
    ping(fd, "after");
    child = fork();
    if (child == 0) {
      close(fd);
      abort();
    }
    waitpid(child, NULL, 0);
    ping(fd, "after a crash");
    close(fd);
  }
  end_together();
}

static int watched;
static atomic_int reaped;

static void reap(int number) {
  (void)number;
  int error = errno, ends[2];
  while (waitpid(-1, NULL, WNOHANG) > 0) ++reaped;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0) {
    write(ends[0], "x", 1);
    close(ends[0]);
    close(ends[1]);
  }
  readable(watched, 0);
  errno = error;
}

// Children end while others are forked, and the handler uses sockets.
WITH_ECHO(handler_amid_forks) {
  enum { children = 150 };
  watched = fd;
  struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART};
  sigaction(SIGCHLD, &action, NULL);
  int failed = 0;
  for (int i = 0; i < children; ++i) {
    pid_t child = fork();
    if (child == 0) {
      if (i % 2 == 0) readable(fd, 0);
      _exit(0);
    }
    failed += child < 0;
    if (i % 10 == 0) {
      char answer[SECRET_LENGTH];
      write_exactly(fd, SECRET, SECRET_LENGTH);
      failed += read_exactly(fd, answer, SECRET_LENGTH) != SECRET_LENGTH;
    }
  }
  for (int i = 0; i < 2000 && reaped < children; ++i) nap(5);
  say("failed %d, reaped %d", failed, reaped);
  ping(fd, "after all");
  close(fd);
  finish();
}

static int count_descriptors(void) {
  DIR* folder = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(folder) != NULL) ++count;
  closedir(folder);
  return count;
}

// daemon(3) is a fork whose parent exits: what was open goes on in the child.
WITH_ECHO(goes_to_the_background) {
  ping(fd, "before");
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_t child = fork();
  if (child == 0) {
    int before = count_descriptors();
    if (daemon(1, 1) != 0) _exit(1);
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    ping(fd, "in the background");
    write_exactly(fd, SECRET, SECRET_LENGTH);
    tell("epoll_wait", epoll_wait(set, &event, 1, 5000));
    read_exactly(fd, buffer, SECRET_LENGTH);
    close(set);
    say("descriptors left %d", count_descriptors() - before);
    write(ends[1], "x", 1);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  read(ends[0], buffer, 1);
  ping(fd, "in the front");
  close(fd);
  finish();
}

static void* opens_and_closes(void* number) {
  int ends[2], server = make_client(*(int*)number);
  if (server >= 0) close(server);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return NULL;
  struct pollfd one = {ends[0], POLLIN, 0};
  write(ends[1], "x", 1);
  poll(&one, 1, 100);
  recv(ends[0], &one, 1, MSG_DONTWAIT);
  close(ends[0]);
  close(ends[1]);
  return NULL;
}

static void* answers_once(void* argument) {
  char word[4];
  int fd = (int)(intptr_t)argument;
  if (read_exactly(fd, word, 4) == 4) write_exactly(fd, word, 4);
  close(fd);
  return NULL;
}

static int exchanges_a_word(void) {
  char word[4];
  int fd = make_client(via);
  bool came = fd >= 0 && write(fd, "word", 4) == 4 && read_exactly(fd, word, 4) == 4;
  return came ? 0 : 1;
}

// In a process that has called nothing yet.
static int forks_amid_first_calls(void) {
  enum { threads = 3 };
  pthread_t thread[threads];
  for (int i = 0; i < threads; ++i) pthread_create(thread + i, NULL, opens_and_closes, &port);
  int status = -1;
  pid_t child = fork();
  if (child == 0) _exit(exchanges_a_word());
  waitpid(child, &status, 0);
  for (int i = 0; i < threads; ++i) pthread_join(thread[i], NULL);
  return status;
}

// Forks while threads are amid their first calls of everything; the children's own first
// calls must not wait for threads that they do not have.
static void first_calls_in_the_child(int unused, bool subject) {
  (void)unused;
  enum { children = 25 };
  if (!subject) {
    int listener = make_listener(&port);
    set_blocking(listener, false);
    hand_over();
    // The pipe that tells of turns ends the service.
    while (!turn_has_come()) {
      pthread_t thread;
      poll(&(struct pollfd){listener, POLLIN, 0}, 1, 20);
      int fd = accept(listener, NULL, NULL);
      if (fd < 0) continue;
      set_blocking(fd, true);
      if (pthread_create(&thread, NULL, answers_once, (void*)(intptr_t)fd) == 0)
        pthread_detach(thread);
    }
    return;
  }
  await_turn();
  int good = 0;
  for (int i = 0; i < children; ++i) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) _exit(forks_amid_first_calls() == 0 ? 0 : 1);
    waitpid(child, &status, 0);
    good += status == 0;
  }
  say("good %d", good);
  hand_over();
}

const struct scenario process_control_cases[] = {
    {"closed_between_vfork_and_exec", closed_between_vfork_and_exec, false},
    {"closed_in_the_child", closed_in_the_child, true},
    {"handler_amid_forks", handler_amid_forks, false},
    {"goes_to_the_background", goes_to_the_background, false},
    {"first_calls_in_the_child", first_calls_in_the_child, true},
    {0}};
