#include "shim/core.h"

#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include <atomic>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

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

// Whether this thread's fork was announced to the engine.
constinit thread_local bool engine_knows = false;

// Held shared by who opens the core, and exclusively by who forks before it is open: a child
// that inherited it with half of its constructors run could not tell. Not by openers among
// themselves: dlopen(3) has a lock of its own, under which a library's constructor may be
// that comes here as well. Should one of these fork, it waits in vain, and for so long only:
constexpr int fork_patience = 2;  // seconds
constinit pthread_rwlock_t opening = PTHREAD_RWLOCK_INITIALIZER;
constinit thread_local int openings = 0;  // of this thread; more than one in signal handlers
constinit thread_local bool owns_opening = false;
constinit bool is_torn = false;  // this process was forked amid an opening

class Opening {
 public:
  Opening() {
    if (openings++ == 0) pthread_rwlock_rdlock(&opening);
  }
  ~Opening() {
    if (--openings == 0) pthread_rwlock_unlock(&opening);
  }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;
};

// False if it was not to be had.
bool shut_out_openers() {
  timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += fork_patience;
  return openings == 0 && pthread_rwlock_timedwrlock(&opening, &limit) == 0;
}

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

bool beside(const char* name, char (&path)[PATH_MAX]) {
  if (front[0] == '\0') start();
  const char* const slash = std::strrchr(front, '/');
  if (slash == nullptr) return false;
  const auto folder = static_cast<size_t>(slash + 1 - front);
  if (folder + std::strlen(name) >= sizeof path) return false;
  std::memcpy(path, front, folder);
  std::strcpy(path + folder, name);
  return true;
}

bool load() {
  if (loaded.load(std::memory_order_acquire)) [[likely]]
    return true;
  if (is_torn) return fail(core_name, "was being opened by the parent as this process was forked");
  const Opening here;
  // Two threads may do this at once: they find the same.
  if (gaiter_core_table_name != nullptr && !open_core()) return false;
  // Now, since the program may fork its workers next.
  engine::make_own_ticket_key();
  loaded.store(true, std::memory_order_release);
  log::say_what_is_wrong();
  return true;
}

void before_fork() {
  owns_opening = !loaded.load(std::memory_order_acquire) && shut_out_openers();
  engine_knows = loaded.load(std::memory_order_acquire);
  if (engine_knows) engine::before_fork();
}

void after_fork_in_parent() {
  if (engine_knows) engine::after_fork_in_parent();
  if (std::exchange(owns_opening, false)) pthread_rwlock_unlock(&opening);
}

void after_fork_in_child() {
  if (loaded.load(std::memory_order_acquire)) {
    engine::after_fork_in_child();
  } else {
    is_torn = is_torn || !owns_opening;
  }
  owns_opening = false;
  pthread_rwlock_init(&opening, nullptr);
  if (openings != 0) pthread_rwlock_rdlock(&opening);  // a signal handler of this thread forked
}

}  // namespace gaiter::shim::core
