// Hooks: libraries that the program opens while it runs must find our functions
// before libc's.
#include <dlfcn.h>

#include "shim/decision.h"
#include "shim/hooks.h"
#include "shim/refusal.h"

namespace gaiter::shim {
namespace {

// What dlopen(3) is asked for in place of what is refused: dlerror(3) then says it.
constexpr const char refused_name[] = "(refused by Gaiter)";

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

// libc looks at its return address for the caller, whose RUNPATH and namespace count:
// nothing may come between, so this must compile to a jump.
void* hook_dlopen(const char* file, int mode) { return real::dlopen(file, mode & ~RTLD_DEEPBIND); }

void* hook_dlmopen(long space, const char* file, int mode) {
  mode &= ~RTLD_DEEPBIND;
  if (space == LM_ID_NEWLM && has_rules()) {
    refuse_unsupported(EACCES, "dlmopen of a new namespace, which has a libc without hooks");
    file = refused_name;
  }
  return real::dlmopen(space, file, mode);
}
