#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "end.h"

static struct task {
  pthread_t thread;
  char text[256], answer[sizeof answer];
  _Atomic pid_t number;
  _Atomic bool done;
} task;
static _Atomic int signals_handled;

static void* perform_task(void* unused) {
  task.number = gettid();
  buffer = malloc(largest);
  perform(task.text);
  free(buffer);
  snprintf(task.answer, sizeof task.answer, "%s", answer);
  task.done = true;
  return unused;
}

void begin_task(const char* text) {
  task.number = 0;
  task.done = false;
  snprintf(task.text, sizeof task.text, "%s", text);
  pthread_create(&task.thread, NULL, perform_task, NULL);
}

void end_task(void) {
  struct timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += patience / 2;
  if (pthread_timedjoin_np(task.thread, NULL, &limit) == 0)
    say("%s", task.answer);
  else
    say(" stuck");
}

static bool task_sleeps(void) {
  char path[64], status[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)task.number);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t length = read(fd, status, sizeof status - 1);
  close(fd);
  status[length > 0 ? length : 0] = 0;
  const char* state = strrchr(status, ')');
  return state != NULL && state[1] == ' ' && state[2] == 'S';
}

// For good, as far as can be seen: what it is woken for without end it soon is again.
void let_task_sleep(void) {
  for (int seen = 0; seen < 4 && !task.done; usleep(200))
    seen = task.number != 0 && task_sleeps() ? seen + 1 : 0;
}

static void count_signal(int unused) {
  (void)unused;
  signals_handled++;
}

void interrupt_task(bool restarts) {
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = restarts ? SA_RESTART : 0};
  sigaction(SIGUSR1, &action, NULL);
  const int before = signals_handled;
  let_task_sleep();  // with what came before it has done what it can
  if (task.done) return;
  pthread_kill(task.thread, SIGUSR1);
  while (signals_handled == before && !task.done) usleep(100);
  let_task_sleep();
}
