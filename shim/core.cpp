#include "shim/core.h"

#include <dlfcn.h>

#include <atomic>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "engine/handshake.h"
#include "engine/ticket_keys.h"
#include "shim/log.h"
#include "shim/real.h"

// From core_stubs.S. Absent where the core is linked in (unit tests).
extern "C" {
[[gnu::weak]] extern const char gaiter_core_table_name[];
[[gnu::weak]] extern void* gaiter_core_slots[];
[[gnu::weak]] extern void* gaiter_core_slots_end[];
}

namespace gaiter::shim::core {

namespace {

constexpr const char core_name[] = "libgaiter-core.so";

// The front's own file, absolute.
constinit char front[PATH_MAX] = "";
constinit std::atomic<bool> loaded = false;

// Whether this thread's fork was announced to the engine: another thread may open
// the core meanwhile.
constinit thread_local bool engine_knows = false;

bool fail(const char* what, const char* detail) {
  static constinit std::atomic<bool> told = false;
  if (!told.exchange(true)) {
    log::line(
        log::Level::error,
        "{}: {}, so every TCP connection of this process is refused until it can be; if that is "
        "not for want of descriptors or memory, install Gaiter again and restart the program",
        what, detail);
  }
  return false;
}

bool open_core() {
  char path[PATH_MAX + sizeof core_name];
  if (front[0] == '\0') start();  // called by a constructor that runs before ours
  if (realpath(front, path) == nullptr) return fail(front, std::strerror(errno));
  std::strcpy(std::strrchr(path, '/') + 1, core_name);
  // Not RTLD_DEEPBIND: core and front must share the program's own malloc.
  void* const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) return fail("cannot load the core", dlerror());
  const void* const table = real::dlsym(handle, gaiter_core_table_name);
  // An installation that was replaced under a running program ends here.
  if (table == nullptr) return fail(path, "is of another build than libgaiter.so");
  std::memcpy(gaiter_core_slots, table,
              static_cast<size_t>(gaiter_core_slots_end - gaiter_core_slots) * sizeof(void*));
  return true;
}

}  // namespace

void start() {
  Dl_info own;
  if (dladdr(front, &own) == 0) return;
  // A relative LD_PRELOAD means nothing once the program changed its directory.
  if (own.dli_fname[0] != '/') {
    if (realpath(own.dli_fname, front) == nullptr) front[0] = '\0';
  } else if (const size_t length = std::strlen(own.dli_fname); length < sizeof front) {
    std::memcpy(front, own.dli_fname, length + 1);
  }
}

bool load() {
  if (loaded.load(std::memory_order_acquire)) [[likely]]
    return true;
  // Two threads may do this at once: they find the same.
  if (gaiter_core_table_name != nullptr && !open_core()) return false;
  // Now, since the program may fork its workers next.
  engine::make_own_ticket_key();
  loaded.store(true, std::memory_order_release);
  return true;
}

void before_fork() {
  engine_knows = loaded.load(std::memory_order_acquire);
  if (engine_knows) engine::before_fork();
}

void after_fork_in_parent() {
  if (engine_knows) engine::after_fork_in_parent();
}

void after_fork_in_child() {
  if (loaded.load(std::memory_order_acquire)) engine::after_fork_in_child();
}

}  // namespace gaiter::shim::core
