// Hooks: libraries that the program opens while it runs, and functions that it looks
// up by name: both must find our functions before libc's.
#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstring>
#include <string_view>

#include "shim/decision.h"
#include "shim/hooks.h"
#include "shim/libc_symbol.h"
#include "shim/refusal.h"

#define HOOK(returns, name, parameters, arguments, number)
#define UNBOUND(returns, name) extern "C" void own_##name() __asm__(#name);
#define ALIAS(name, of)
#include "shim/symbols.def"
#undef HOOK
#undef UNBOUND
#undef ALIAS

namespace gaiter::shim {
namespace {

// What dlopen(3) is asked for in place of what is refused: dlerror(3) then says it.
constexpr const char refused_name[] = "(refused by Gaiter)";

bool is_own(const void* address) {
  static constexpr char here = 0;
  Dl_info own, found;
  return dladdr(&here, &own) != 0 && dladdr(address, &found) != 0 &&
         own.dli_fbase == found.dli_fbase;
}

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
#define HOOK(returns, name, parameters, arguments, number)          \
  if (const void* const next = reinterpret_cast<void*>(real::name); \
      !is_in_libc(next) && !is_own(next)) {                         \
    return false;                                                   \
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

// The hook that is exported as `name`. None if another preload lies between it and libc,
// which looks the function up that it stands in front of, and must not find us.
void* hook_named(const char* name) {
  const std::string_view wanted = name;
#define HOOK(returns, symbol, parameters, arguments, number)                     \
  if (wanted == #symbol) {                                                       \
    if (is_own(reinterpret_cast<void*>(real::symbol))) real::bind();             \
    const bool next_is_libc = is_in_libc(reinterpret_cast<void*>(real::symbol)); \
    return next_is_libc ? reinterpret_cast<void*>(hook_##symbol) : nullptr;      \
  }
#define UNBOUND(returns, symbol) \
  if (wanted == #symbol) return reinterpret_cast<void*>(own_##symbol);
#define ALIAS(symbol, of) \
  if (wanted == #symbol) return hook_named(#of);
#include "shim/symbols.def"
#undef HOOK
#undef UNBOUND
#undef ALIAS
  return nullptr;
}

// Whose functions the hooks stand in front of: libc's, and those of the libraries for
// which UNBOUND ones were made.
bool is_hooked_library(const void* address) {
  if (is_in_libc(address)) return true;
  Dl_info found;
  if (dladdr(address, &found) == 0 || found.dli_fname == nullptr) return false;
  const char* const slash = std::strrchr(found.dli_fname, '/');
  const std::string_view file = slash != nullptr ? slash + 1 : found.dli_fname;
  return file.starts_with("libaio.so") || file.starts_with("liburing.so");
}

link_map* object_of(const void* address) {
  Dl_info info;
  link_map* object = nullptr;
  return dladdr1(address, &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) != 0 ? object
                                                                                          : nullptr;
}

// The caller of RTLD_NEXT, if it comes after the hooks; else nullptr: it finds them by
// itself.
link_map* behind_hooks(const void* caller) {
  static constexpr char here = 0;
  link_map* const from = object_of(caller);
  const link_map* const own = object_of(&here);
  for (const link_map* later = from; later != nullptr; later = later->l_next)
    if (later == own) return nullptr;
  return from;
}

// What a look-up by `caller` must give in place of what libc would, which is left to it
// where that is right: nullptr. `look_up` asks libc; by a version it does not find the
// hooks, which have none.
template <class LookUp>
void* answer(void* library, const char* name, const void* caller, bool by_version, LookUp look_up) {
  // In the order of the program's libraries the hooks come before libc.
  if (name == nullptr || (library == RTLD_DEFAULT && !by_version)) return nullptr;
  void* const hook = hook_named(name);
  if (hook == nullptr) return nullptr;
  const link_map* const from = library == RTLD_NEXT ? behind_hooks(caller) : nullptr;
  if (library == RTLD_NEXT && from == nullptr && !by_version) return nullptr;
  if (from == nullptr) {
    const void* const found = look_up(library);
    return found != nullptr && is_hooked_library(found) ? hook : nullptr;
  }
  // Among what the caller depends on somebody else may have such a function.
  void* const opened = real::dlopen(from->l_name, RTLD_LAZY | RTLD_NOLOAD);
  if (opened == nullptr) return nullptr;
  const void* const found = look_up(opened);
  const bool ours = found != nullptr && (is_hooked_library(found) || object_of(found) == from);
  dlclose(opened);
  return ours ? hook : nullptr;
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

// As for dlopen(): the caller's place is where RTLD_NEXT begins.
void* hook_dlsym(void* library, const char* name) {
  if (void* const mine = answer(library, name, __builtin_return_address(0), false,
                                [=](void* where) { return real::dlsym(where, name); })) {
    return mine;
  }
  return real::dlsym(library, name);
}

void* hook_dlvsym(void* library, const char* name, const char* version) {
  if (void* const mine = answer(library, name, __builtin_return_address(0), true,
                                [=](void* where) { return real::dlvsym(where, name, version); })) {
    return mine;
  }
  return real::dlvsym(library, name, version);
}
