#include "shim/family.h"

#include <unistd.h>

#include <atomic>

#include "shim/arena.h"
#include "shim/process.h"

namespace gaiter::shim::family {

namespace {

// What is known of the latest members; of older ones it is not known whether they
// are gone, and so they are taken to be there.
constexpr uint32_t remembered = 4096;

struct Members {
  uint64_t mark;  // not in a new program's memory
  std::atomic<uint32_t> last;
  std::atomic<uint64_t> latest[remembered];  // member << 32 | process id, 0 = not known yet
};
static_assert(sizeof(Members) <= arena::family_size);

constinit std::atomic<uint32_t> own = 0;
constinit uint32_t child = 0;  // under fd_table's gate

Members* members() { return static_cast<Members*>(arena::family()); }

void enrol(uint32_t member, uint32_t process) {
  if (Members* const all = members())
    all->latest[member % remembered].store(uint64_t{member} << 32 | process);
}

uint32_t next() {
  Members* const all = members();
  return all != nullptr ? all->last.fetch_add(1) + 1 : 1;
}

}  // namespace

uint32_t self() {
  uint32_t seen = own.load(std::memory_order_relaxed);
  if (seen != 0) [[likely]]
    return seen;
  if (Members* const all = members(); all != nullptr && all->mark == 0)
    all->mark = static_cast<uint64_t>(process::now()) << 16 | static_cast<uint16_t>(getpid()) | 1;
  const uint32_t fresh = next();
  if (!own.compare_exchange_strong(seen, fresh)) return seen;
  enrol(fresh, static_cast<uint32_t>(getpid()));
  return fresh;
}

uint32_t expect_child() {
  self();
  child = next();
  enrol(child, 0);
  return child;
}

void become_child() {
  own.store(child);
  enrol(child, static_cast<uint32_t>(getpid()));
}

void join() {
  own.store(0);
  self();
}

bool is_gone(uint32_t member) {
  Members* const all = members();
  if (all == nullptr || member == own.load(std::memory_order_relaxed)) return false;
  const uint64_t known = all->latest[member % remembered].load();
  if (known >> 32 != member || static_cast<uint32_t>(known) == 0) return false;
  return process::has_left_family(static_cast<uint32_t>(known), &all->mark);
}

}  // namespace gaiter::shim::family
