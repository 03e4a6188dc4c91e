// Hooks: shells that libc starts by itself, past the exec hooks.
#include <cstring>

#include "shim/children.h"
#include "shim/exec_environment.h"
#include "shim/hooks.h"

namespace gaiter::shim {
namespace {

int before_shell() {
  exec_environment::complete_own();
  return children::before_shell();
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_system(const char* command) {
  if (command == nullptr) return real::system(command);
  if (const int error = before_shell()) return fail_with(error);
  return real::system(command);
}

FILE* hook_popen(const char* command, const char* mode) {
  if (const int error = before_shell()) {
    errno = error;
    return nullptr;
  }
  return real::popen(command, mode);
}
HOOK_ALIAS(_IO_popen, popen)

int hook_wordexp(const char* words, wordexp_t* expanded, int flags) {
  // Most words need no shell.
  if (std::strpbrk(words, "$`") == nullptr || (flags & WRDE_NOCMD) != 0)
    return real::wordexp(words, expanded, flags);
  if (before_shell() != 0) return WRDE_NOSPACE;
  return real::wordexp(words, expanded, flags);
}
