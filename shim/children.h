// Programs that this one starts and that Gaiter cannot be in (base/program_image.h): static,
// setuid and such. Where the policy has rules they run without TCP (base/tcp_filter.h), are
// refused, or pass, as its `children` and `trusted_children` say.
//
// In signal handlers and vfork children as well, on less than 32 KiB of stack; but the first
// to ask reads the policy (in a vfork child, a process that is forked for it).
#pragma once

#include <spawn.h>

#include <climits>

namespace gaiter::shim::children {

struct Exec {
  int error = 0;                 // not to be executed; the log says why
  bool without_preload = false;  // its loader must not see LD_PRELOAD: it cannot use ours
};
// Before exec of a program that execveat(2) would take by these. Without an error exec must
// follow at once, since this thread may have no TCP from now on.
Exec before_exec(int directory, const char* path, int flags, char* const* arguments,
                 char* const* environment);

// Whether libc may start its shell (system(3) and such): 0 or an errno.
int before_shell();

// How posix_spawn(3) has to start a program.
struct Spawn {
  enum class Way : unsigned char { as_it_is, by_helper, refused };
  Way way = Way::as_it_is;
  bool without_preload = false;  // as in Exec
  // Of by_helper: the file to spawn, with these arguments before the program's own.
  static constexpr int arguments = 4;
  char helper[PATH_MAX];
  char options[4];
  char ports[512];
};
// `path` as posix_spawn(3) takes it; `moves`: its file actions may change the directory.
void before_spawn(const char* path, bool moves, Spawn& spawn);

// posix_spawn_file_actions_addchdir_np(3) was called: relative paths may mean others.
void directories_change();
bool directories_may_change();

}  // namespace gaiter::shim::children
