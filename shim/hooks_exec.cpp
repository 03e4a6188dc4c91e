// Hooks: other program images. What they inherit stays protected (relay.h), and
// so do the connections that they make themselves (exec_environment.h).
#include <alloca.h>
#include <unistd.h>

#include "shim/exec_environment.h"
#include "shim/hooks.h"
#include "shim/relay.h"
#include "shim/relay_end.h"

// On the caller's stack: exec may be called between vfork and exec, or in a
// signal handler.
#define COMPLETE_ENVIRONMENT(environment)                                                   \
  char told[RelayEnd::environment_size];                                                    \
  char* const relayed = RelayEnd::write_environment(told);                                  \
  if (const size_t size = exec_environment::size_needed(environment, relayed); size != 0) { \
    auto** const completed = static_cast<char**>(alloca(size * sizeof(char*)));             \
    exec_environment::complete(environment, relayed, completed);                            \
    environment = completed;                                                                \
  }

using namespace gaiter::shim;

int hook_execve(const char* path, char* const* arguments, char* const* environment) {
  relay_inherited();
  COMPLETE_ENVIRONMENT(environment)
  return real::execve(path, arguments, environment);
}

int hook_execv(const char* path, char* const* arguments) {
  return hook_execve(path, arguments, environ);
}

int hook_execvpe(const char* file, char* const* arguments, char* const* environment) {
  relay_inherited();
  COMPLETE_ENVIRONMENT(environment)
  return real::execvpe(file, arguments, environment);
}

int hook_execvp(const char* file, char* const* arguments) {
  return hook_execvpe(file, arguments, environ);
}

int hook_fexecve(int fd, char* const* arguments, char* const* environment) {
  relay_inherited();
  COMPLETE_ENVIRONMENT(environment)
  return real::fexecve(fd, arguments, environment);
}

int hook_execveat(int directory, const char* path, char* const* arguments, char* const* environment,
                  int flags) {
  relay_inherited();
  COMPLETE_ENVIRONMENT(environment)
  return real::execveat(directory, path, arguments, environment, flags);
}

// The arguments of execl and its kin as an array; execle's environment follows
// their closing nullptr.
#define COLLECT_ARGUMENTS(first)                                                     \
  va_list list;                                                                      \
  va_start(list, first);                                                             \
  size_t count = 1;                                                                  \
  while (va_arg(list, char*) != nullptr) ++count;                                    \
  va_end(list);                                                                      \
  auto** const arguments = static_cast<char**>(alloca((count + 1) * sizeof(char*))); \
  va_start(list, first);                                                             \
  arguments[0] = const_cast<char*>(first);                                           \
  for (size_t i = 1; i <= count; ++i) arguments[i] = va_arg(list, char*);

#define VARIADIC_HOOK(name) UNBOUND_HOOK(int, name, (const char* path, const char* first, ...))

VARIADIC_HOOK(execl) {
  COLLECT_ARGUMENTS(first)
  va_end(list);
  return hook_execve(path, arguments, environ);
}

VARIADIC_HOOK(execlp) {
  COLLECT_ARGUMENTS(first)
  va_end(list);
  return hook_execvpe(path, arguments, environ);
}

VARIADIC_HOOK(execle) {
  COLLECT_ARGUMENTS(first)
  char* const* const environment = va_arg(list, char* const*);
  va_end(list);
  return hook_execve(path, arguments, environment);
}

int hook_posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
                     const posix_spawnattr_t* attributes, char* const* arguments,
                     char* const* environment) {
  COMPLETE_ENVIRONMENT(environment)
  return real::posix_spawn(child, path, actions, attributes, arguments, environment);
}

int hook_posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
                      const posix_spawnattr_t* attributes, char* const* arguments,
                      char* const* environment) {
  COMPLETE_ENVIRONMENT(environment)
  return real::posix_spawnp(child, file, actions, attributes, arguments, environment);
}

// The dup2 will happen inside libc, in the child: now is the last time to see it.
int hook_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t* actions, int fd, int to) {
  if (fd_table::has(fd) && Protected(fd) && move_to_relay(fd) != 0) return errno;
  return real::posix_spawn_file_actions_adddup2(actions, fd, to);
}
