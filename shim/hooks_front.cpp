#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <string_view>

#include "shim/decision.h"
#include "shim/front.h"
#include "shim/hooks.h"
#include "shim/log.h"
#include "shim/preload_order.h"

namespace gaiter::shim::front {

namespace {

enum class Order : uint8_t { unknown, ours, taken };
constinit std::atomic<Order> order = Order::unknown;
constinit std::atomic<bool> told = false;
// Whose it is, and what; set before `order`.
constinit const char* library = nullptr;
constinit const char* function = nullptr;

// Without what others may have in front of us and do no harm: names, limits, processes.
constexpr const char* guarded[] = {
    "socket",     "connect", "accept",  "accept4",   "listen", "shutdown", "read",
    "readv",      "recv",    "recvmsg", "recvfrom",  "write",  "writev",   "recvmmsg",
    "send",       "sendto",  "sendmsg", "sendmmsg",  "splice", "close",    "sendfile",
    "sendfile64", "dup",     "dup2",    "dup3",      "fcntl",  "fcntl64",  "close_range",
    "epoll_ctl",  "syscall", "dlsym",   "setsockopt"};

// The program comes first, and the kernel's own object may follow.
bool is_of_the_loader(const link_map& object) {
  const std::string_view name = object.l_name;
  return name.empty() || name.starts_with("linux-vdso.so") || name.starts_with("linux-gate.so");
}

const link_map* object_of(const void* address) {
  Dl_info info;
  link_map* object = nullptr;
  const bool known = dladdr1(address, &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP);
  return known ? object : nullptr;
}

// Whether there is nobody before us who could have a function of ours. The list of objects
// begins with the program, whose functions are its own.
bool is_first(const link_map& own) {
  for (const link_map* before = own.l_prev; before != nullptr; before = before->l_prev) {
    if (!is_of_the_loader(*before) && !preload_order::is_sanitizer(before->l_name)) return false;
  }
  return true;
}

bool is_the_programs(const link_map& object) { return object.l_prev == nullptr; }

Order look() {
  static constexpr char here = 0;
  const link_map* const own = object_of(&here);
  if (own == nullptr || is_first(*own)) return Order::ours;
  // Not RTLD_DEFAULT: a library that is linked with -Bsymbolic finds itself first by that.
  void* const program = real::dlopen(nullptr, RTLD_LAZY | RTLD_NOLOAD);
  if (program == nullptr) return Order::ours;
  for (const char* const name : guarded) {
    const void* const found = real::dlsym(program, name);
    const link_map* const object = found != nullptr ? object_of(found) : own;
    if (object == own) continue;
    if (object != nullptr &&
        (is_the_programs(*object) || preload_order::is_sanitizer(object->l_name))) {
      continue;
    }
    library = object != nullptr ? object->l_name : "an unknown library";
    function = name;
    return Order::taken;
  }
  return Order::ours;
}

}  // namespace

void start() { order.store(look(), std::memory_order_release); }

bool refuses() {
  Order seen = order.load(std::memory_order_acquire);
  if (seen == Order::unknown) order.store(seen = look(), std::memory_order_release);
  if (seen == Order::ours || !follows_policy()) return false;
  if (!told.exchange(true)) {
    log::line(log::Level::warning,
              "refused cause=interposed errno=EACCES reason=\"{} comes before Gaiter and has {}: "
              "TCP would go past Gaiter\" advice=\"put libgaiter.so first in LD_PRELOAD, or start "
              "the program by gaiter run, which does\"",
              library, function);
  }
  errno = EACCES;
  return true;
}

}  // namespace gaiter::shim::front
