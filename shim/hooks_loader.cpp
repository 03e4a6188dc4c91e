// Hooks: libraries that the program opens while it runs must find our functions
// before libc's.
#include <dlfcn.h>
#include <gnu/libc-version.h>

#include <atomic>
#include <cstring>
#include <string_view>

#include "shim/decision.h"
#include "shim/hooks.h"
#include "shim/refusal.h"

namespace gaiter::shim {
namespace {

// What dlopen(3) is asked for in place of what is refused: dlerror(3) then says it.
constexpr const char refused_name[] = "(refused by Gaiter)";

// As the loader knows this library; a name that it finds whatever the root is now.
const char* own_name() {
  static constexpr char here = 0;
  Dl_info own;
  return dladdr(&here, &own) != 0 ? own.dli_fname : nullptr;
}

// Whether nothing but libc lies behind the hooks. Another preload there may itself ask
// for libc by name, and must not find us, who call it.
bool next_is_libc() {
  real::bind();  // a constructor that ran before ours may ask
  Dl_info libc, found;
  if (dladdr(reinterpret_cast<void*>(gnu_get_libc_version), &libc) == 0) return false;
  const char* const own = own_name();
#define HOOK(returns, name, parameters, arguments, number)             \
  if (dladdr(reinterpret_cast<void*>(real::name), &found) == 0 ||      \
      (found.dli_fbase != libc.dli_fbase && found.dli_fname != own)) { \
    return false;                                                      \
  }
#define UNBOUND(returns, name)
#define ALIAS(name, of)
#include "shim/symbols.def"
#undef HOOK
#undef UNBOUND
#undef ALIAS
  return true;
}

// Who opens libc by its name (foreign function interfaces: Python's ctypes, JNA) means to
// look functions up in it, and must find the hooks first, then libc's. That is what a
// look-up in this library finds, which depends on libc.
[[gnu::noinline]] const char* with_hooks(const char* file) {
  constexpr std::string_view wanted = "libc.so.6";
  if (file == nullptr) return file;
  const std::string_view whole = file;
  if (!whole.ends_with(wanted)) return file;
  if (whole.size() > wanted.size() && whole[whole.size() - wanted.size() - 1] != '/') return file;
  enum : int { unknown, yes, no };
  static constinit std::atomic<int> redirects = unknown;
  if (redirects.load() == unknown) redirects.store(next_is_libc() ? yes : no);
  const char* const own = redirects.load() == yes ? own_name() : nullptr;
  return own != nullptr ? own : file;
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

// libc looks at its return address for the caller, whose RUNPATH and namespace count:
// nothing may come between, so this must compile to a jump.
void* hook_dlopen(const char* file, int mode) {
  return real::dlopen(with_hooks(file), mode & ~RTLD_DEEPBIND);
}

void* hook_dlmopen(long space, const char* file, int mode) {
  mode &= ~RTLD_DEEPBIND;
  if (space == LM_ID_NEWLM && has_rules()) {
    refuse_unsupported(EACCES, "dlmopen of a new namespace, which has a libc without hooks");
    file = refused_name;
  }
  return real::dlmopen(space, space == LM_ID_BASE ? with_hooks(file) : file, mode);
}
