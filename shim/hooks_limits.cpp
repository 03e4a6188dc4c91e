// Hooks: limits. What Gaiter reserves in the address space is not the
// program's, and its limits are not to mean it: vsftpd and Dovecot allow themselves
// some 200 MiB. Nor is a limit on processes to mean Gaiter's.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "shim/arena.h"
#include "shim/hooks.h"
#include "shim/names.h"
#include "shim/process.h"
#include "shim/relay_nursery.h"

namespace gaiter::shim {
namespace {

// The core, its heap, and the tables of this process.
constexpr rlim_t private_memory = 64 << 20;

// Whether the limits of this process have Gaiter's share in them.
constinit std::atomic<bool> shared_out[RLIM_NLIMITS]{};

bool concerns_memory(int resource) { return resource == RLIMIT_AS || resource == RLIMIT_DATA; }

rlim_t own_share(int resource) {
  return private_memory +
         (resource == RLIMIT_AS ? arena::reserved() + names::reserved() : arena::private_size());
}

rlim_t with(rlim_t limit, rlim_t share) {
  return limit > RLIM_INFINITY - share ? RLIM_INFINITY : limit + share;
}

rlim_t without(rlim_t limit, rlim_t share) {
  return limit == RLIM_INFINITY ? limit : limit - std::min(limit, share);
}

int get(int resource, rlimit* limit) { return real::prlimit(0, resource, nullptr, limit); }

int set_and_get(int resource, const rlimit* wanted, rlimit* before) {
  if (wanted != nullptr && !memory::can_read(wanted)) return fail_with(EFAULT);
  if (resource == RLIMIT_NPROC && wanted != nullptr) relay_nursery::prepare(*wanted);
  // For another program's image, in memory that is not ours.
  if (!concerns_memory(resource) || process::memory_is_borrowed())
    return real::prlimit(0, resource, wanted, before);
  const rlim_t share = own_share(resource);
  rlimit now;
  // The kernel judges the program's memory.
  const rlimit wish = wanted != nullptr ? *wanted : rlimit{};
  if (get(resource, before != nullptr ? before : &now) != 0) return -1;
  if (before != nullptr) now = *before;
  const bool has_share = shared_out[resource].load(std::memory_order_relaxed);
  if (wanted != nullptr) {
    rlimit raised{with(wish.rlim_cur, share), with(wish.rlim_max, share)};
    // Another's hard limit is not for us to raise, if the program did not ask to.
    if (wish.rlim_max <= now.rlim_max) {
      raised.rlim_max = std::min(raised.rlim_max, now.rlim_max);
      if (wish.rlim_cur <= wish.rlim_max)
        raised.rlim_cur = std::min(raised.rlim_cur, raised.rlim_max);
    }
    if (real::prlimit(0, resource, &raised, nullptr) != 0) return -1;
    shared_out[resource].store(true, std::memory_order_relaxed);
  }
  if (before != nullptr) {
    *before = now;
    if (has_share) *before = {without(now.rlim_cur, share), without(now.rlim_max, share)};
  }
  return 0;
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_setrlimit(int resource, const rlimit* limit) {
  return set_and_get(resource, limit, nullptr);
}

int hook_getrlimit(int resource, rlimit* limit) {
  return set_and_get(resource, nullptr, limit);
}

int hook_prlimit(pid_t process, int resource, const rlimit* wanted, rlimit* before) {
  if (process != 0 && process != getpid()) return real::prlimit(process, resource, wanted, before);
  return set_and_get(resource, wanted, before);
}

// Where off_t has 64 bits from the start, these are the same.
HOOK_ALIAS(setrlimit64, setrlimit)
HOOK_ALIAS(getrlimit64, getrlimit)
HOOK_ALIAS(prlimit64, prlimit)
