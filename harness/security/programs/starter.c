// starter WAY PROGRAM ARGUMENT...: starts a program by one of libc's functions, and ends as it
// does. A way that begins with "clean-" empties the environment before, all but PATH.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

extern char** environ;

static int fail(const char* what, int error) {
  printf("%s %s\n", what, strerrorname_np(error));
  return 126;
}

static int ended(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child) return fail("waitpid", errno);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

static const char* command_of(char** words) {
  static char command[4000];
  for (; *words != NULL; ++words) {
    strcat(command, command[0] == '\0' ? "" : " ");
    strcat(command, *words);
  }
  return command;
}

static int run_shell(const char* way, char** words) {
  const char* const command = command_of(words);
  if (strcmp(way, "system") == 0) {
    const int status = system(command);
    return status < 0 ? fail("system", errno) : WEXITSTATUS(status);
  }
  if (strcmp(way, "popen") == 0) {
    FILE* const from = popen(command, "r");
    if (from == NULL) return fail("popen", errno);
    char line[400];
    while (fgets(line, sizeof line, from) != NULL) fputs(line, stdout);
    return WEXITSTATUS(pclose(from));
  }
  char quoted[4100];
  snprintf(quoted, sizeof quoted, "\"$(%s)\"", command);
  wordexp_t expanded;
  if (wordexp(quoted, &expanded, 0) != 0) return fail("wordexp", errno);
  for (size_t i = 0; i < expanded.we_wordc; ++i) printf("%s\n", expanded.we_wordv[i]);
  return 0;
}

static int spawn(const char* way, char** words) {
  pid_t child;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int error;
  if (strcmp(way, "spawn") == 0) {
    error = posix_spawn(&child, words[0], NULL, NULL, words, environ);
  } else if (strcmp(way, "spawnp") == 0) {
    error = posix_spawnp(&child, words[0], NULL, NULL, words, environ);
  } else {  // spawn-in FOLDER PROGRAM: the path counts there
    posix_spawn_file_actions_addchdir_np(&actions, words[0]);
    ++words;
    error = posix_spawn(&child, words[0], &actions, NULL, words, environ);
  }
  return error != 0 ? fail(way, error) : ended(child);
}

static int execute(const char* way, char** words) {
  const char* const path = words[0];
  if (strcmp(way, "execve") == 0) execve(path, words, environ);
  if (strcmp(way, "execv") == 0) execv(path, words);
  if (strcmp(way, "execvp") == 0) execvp(path, words);
  if (strcmp(way, "execvpe") == 0) execvpe(path, words, environ);
  if (strcmp(way, "execl") == 0) execl(path, words[0], words[1], words[2], words[3], NULL);
  if (strcmp(way, "execlp") == 0) execlp(path, words[0], words[1], words[2], words[3], NULL);
  if (strcmp(way, "execle") == 0) execle(path, words[0], words[1], words[2], words[3], NULL, environ);
  if (strcmp(way, "fexecve") == 0) fexecve(open(path, O_RDONLY | O_CLOEXEC), words, environ);
  if (strcmp(way, "path-fd") == 0) fexecve(open(path, O_PATH | O_CLOEXEC), words, environ);
  if (strcmp(way, "execveat") == 0) execveat(AT_FDCWD, path, words, environ, 0);
  if (strcmp(way, "syscall") == 0) syscall(SYS_execve, path, words, environ);
  return fail(way, errno);
}

int main(int count, char** words) {
  if (count < 3) return 2;
  setbuf(stdout, NULL);
  const char* way = words[1];
  words += 2;
  if (strncmp(way, "clean-", 6) == 0) {
    way += 6;
    char path[1000];
    snprintf(path, sizeof path, "%s", getenv("PATH"));
    clearenv();
    setenv("PATH", path, 1);
  }
  if (strcmp(way, "system") == 0 || strcmp(way, "popen") == 0 || strcmp(way, "wordexp") == 0)
    return run_shell(way, words);
  if (strncmp(way, "spawn", 5) == 0) return spawn(way, words);
  if (strcmp(way, "vfork") == 0) {
    const pid_t child = vfork();
    if (child == 0) {
      execve(words[0], words, environ);
      _exit(126);
    }
    return ended(child);
  }
  return execute(way, words);
}
