// Hooks: other program images. What they inherit stays protected (relay.h), and
// so do the connections that they make themselves (exec_environment.h).
#include <alloca.h>
#include <fcntl.h>
#include <paths.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "shim/children.h"
#include "shim/exec_environment.h"
#include "shim/hooks.h"
#include "shim/relay.h"
#include "shim/relay_end.h"

// On the caller's stack: exec may be called between vfork and exec, or in a
// signal handler.
#define COMPLETE_ENVIRONMENT(environment)                                                   \
  char told[RelayEnd::environment_size];                                                    \
  char* const relayed = RelayEnd::write_environment(told);                                  \
  const size_t preload_room = exec_environment::preload_room(environment);                  \
  char* const preload = exec_environment::write_preload(                                    \
      environment, preload_room != 0 ? static_cast<char*>(alloca(preload_room)) : nullptr); \
  if (const size_t size = exec_environment::size_needed(environment, preload, relayed);     \
      size != 0) {                                                                          \
    auto** const completed = static_cast<char**>(alloca(size * sizeof(char*)));             \
    exec_environment::complete(environment, preload, relayed, completed);                   \
    environment = completed;                                                                \
  }

// For a loader that cannot use it: the environment without LD_PRELOAD.
#define DROP_PRELOAD(environment)                                                          \
  {                                                                                        \
    auto** const rest =                                                                    \
        static_cast<char**>(alloca(exec_environment::count(environment) * sizeof(char*))); \
    exec_environment::drop_preload(environment, rest);                                     \
    environment = rest;                                                                    \
  }

namespace gaiter::shim {
namespace {

// `refused`: by Gaiter, and nobody is to try another file of that name.
int execute(const char* path, char* const* arguments, char* const* environment,
            bool* refused = nullptr) {
  const auto how = children::before_exec(AT_FDCWD, path, 0, arguments, environment);
  if (how.error != 0) {
    if (refused != nullptr) *refused = true;
    return fail_with(how.error);
  }
  if (how.without_preload) DROP_PRELOAD(environment)
  return real::execve(path, arguments, environment);
}

// As execvp(3): what the kernel knows no format of is for the shell.
int execute_or_shell(const char* path, char* const* arguments, char* const* environment,
                     bool* refused = nullptr) {
  const int result = execute(path, arguments, environment, refused);
  if (errno != ENOEXEC) return result;
  size_t count = 0;
  while (arguments != nullptr && arguments[count] != nullptr) ++count;
  auto** const words = static_cast<char**>(alloca((count + 3) * sizeof(char*)));
  char** word = words;
  *word++ = const_cast<char*>(_PATH_BSHELL);
  *word++ = const_cast<char*>(path);
  for (size_t i = 1; i < count; ++i) *word++ = arguments[i];
  *word = nullptr;
  return execute(_PATH_BSHELL, words, environment, refused);
}

// Walks the folders of PATH in which execvp(3) would look for `file`. visit(path) is called
// for each until it returns true.
template <class Visit>
void visit_candidates(const char* file, Visit visit) {
  char path[PATH_MAX];
  const size_t length = std::strlen(file);
  const char* folders = getenv("PATH");
  if (folders == nullptr) folders = "/bin:/usr/bin";
  for (const char* at = folders; at != nullptr;) {
    const char* const end = strchrnul(at, ':');
    const auto folder = static_cast<size_t>(end - at);
    if (folder + 1 + length < sizeof path) {
      std::memcpy(path, at, folder);
      size_t filled = folder;
      if (folder != 0) path[filled++] = '/';
      std::memcpy(path + filled, file, length + 1);
      if (visit(path)) return;
    }
    at = *end == ':' ? end + 1 : nullptr;
  }
}

bool is_searched(const char* file) {
  return *file != '\0' && std::strchr(file, '/') == nullptr && std::strlen(file) <= NAME_MAX;
}

// `path` is what as_it_is(environment) would execute.
template <class AsItIs>
int spawn(const char* path, pid_t* child, const posix_spawn_file_actions_t* actions,
          const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment,
          AsItIs as_it_is) {
  COMPLETE_ENVIRONMENT(environment)
  children::Spawn how;
  children::before_spawn(path, actions != nullptr, how);
  if (how.way == children::Spawn::Way::refused) return EACCES;
  if (how.without_preload) DROP_PRELOAD(environment)
  if (how.way == children::Spawn::Way::as_it_is) return as_it_is(environment);
  size_t count = 0;
  while (arguments != nullptr && arguments[count] != nullptr) ++count;
  auto** const words =
      static_cast<char**>(alloca((count + children::Spawn::arguments + 1) * sizeof(char*)));
  char** word = words;
  for (char* const own : {how.helper, how.options, how.ports, const_cast<char*>(path)})
    *word++ = own;
  for (size_t i = 0; i < count; ++i) *word++ = arguments[i];
  *word = nullptr;
  return real::posix_spawn(child, how.helper, actions, attributes, words, environment);
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_execve(const char* path, char* const* arguments, char* const* environment) {
  relay_inherited();
  COMPLETE_ENVIRONMENT(environment)
  return execute(path, arguments, environment);
}

int hook_execv(const char* path, char* const* arguments) {
  return hook_execve(path, arguments, environ);
}

int hook_execvpe(const char* file, char* const* arguments, char* const* environment) {
  relay_inherited();
  COMPLETE_ENVIRONMENT(environment)
  if (file == nullptr) return fail_with(EFAULT);
  if (!is_searched(file)) {
    if (*file != '\0' && std::strchr(file, '/') == nullptr) return fail_with(ENAMETOOLONG);
    return execute_or_shell(file, arguments, environment);
  }
  bool was_denied = false;
  errno = ENOENT;
  visit_candidates(file, [&](const char* path) {
    bool refused = false;
    execute_or_shell(path, arguments, environment, &refused);
    if (refused) return true;
    was_denied = was_denied || errno == EACCES;
    return errno != EACCES && errno != ENOENT && errno != ESTALE && errno != ENOTDIR &&
           errno != ENODEV && errno != ETIMEDOUT;
  });
  return was_denied ? fail_with(EACCES) : -1;
}

int hook_execvp(const char* file, char* const* arguments) {
  return hook_execvpe(file, arguments, environ);
}

int hook_fexecve(int fd, char* const* arguments, char* const* environment) {
  relay_inherited();
  COMPLETE_ENVIRONMENT(environment)
  const auto how = children::before_exec(fd, "", AT_EMPTY_PATH, arguments, environment);
  if (how.error != 0) return fail_with(how.error);
  if (how.without_preload) DROP_PRELOAD(environment)
  return real::fexecve(fd, arguments, environment);
}

int hook_execveat(int directory, const char* path, char* const* arguments, char* const* environment,
                  int flags) {
  relay_inherited();
  COMPLETE_ENVIRONMENT(environment)
  const auto how = children::before_exec(directory, path, flags, arguments, environment);
  if (how.error != 0) return fail_with(how.error);
  if (how.without_preload) DROP_PRELOAD(environment)
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
  return spawn(path, child, actions, attributes, arguments, environment,
               [&](char* const* completed) {
                 return real::posix_spawn(child, path, actions, attributes, arguments, completed);
               });
}

int hook_posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
                      const posix_spawnattr_t* attributes, char* const* arguments,
                      char* const* environment) {
  char found[PATH_MAX] = "";
  if (file != nullptr && is_searched(file)) {
    visit_candidates(file, [&](const char* candidate) {
      struct stat status;
      if (access(candidate, X_OK) != 0 || stat(candidate, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
      std::strcpy(found, candidate);
      return true;
    });
  }
  const char* const path = found[0] != '\0' ? found : file;
  return spawn(path, child, actions, attributes, arguments, environment,
               [&](char* const* completed) {
                 return real::posix_spawnp(child, file, actions, attributes, arguments, completed);
               });
}

int hook_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t* actions,
                                              const char* path) {
  children::directories_change();
  return real::posix_spawn_file_actions_addchdir_np(actions, path);
}

int hook_posix_spawn_file_actions_addfchdir_np(posix_spawn_file_actions_t* actions, int fd) {
  children::directories_change();
  return real::posix_spawn_file_actions_addfchdir_np(actions, fd);
}

// The dup2 will happen inside libc, in the child: now is the last time to see it.
int hook_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t* actions, int fd, int to) {
  if (fd_table::has(fd) && Protected(fd) && move_to_relay(fd) != 0) return errno;
  return real::posix_spawn_file_actions_adddup2(actions, fd, to);
}
