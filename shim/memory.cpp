#include "shim/memory.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>

#include "shim/real.h"

namespace gaiter::shim::memory {

namespace {

constexpr uint64_t writable = 1;

// Pages that the kernel has read, or written, for us: each its number and whether it can be
// written, at a place of its own. Zero knows none.
constinit std::atomic<uint64_t> known[256]{};

uint64_t page_of(uintptr_t address) { return address / page_size; }

bool is_known(uint64_t page, uint64_t how) {
  const uint64_t found = known[page % std::size(known)].load(std::memory_order_relaxed);
  return found >> 1 == page && (found & how) == how;
}

void remember(uint64_t page, uint64_t how) {
  known[page % std::size(known)].store(page << 1 | how, std::memory_order_relaxed);
}

// Eight bytes there are read for a signal mask, by a poll that ends at once: a number that no
// descriptor has is news, so that no signal is looked for while the mask is on. The call is one
// that a connection makes anyway, which a seccomp filter allows.
bool kernel_reads(uintptr_t address) {
  pollfd none{INT_MAX, 0, 0};
  const timespec at_once{};
  const int saved_errno = errno;
  const bool faults =
      real::syscall(SYS_ppoll, reinterpret_cast<long>(&none), 1, reinterpret_cast<long>(&at_once),
                    static_cast<long>(address), sizeof(uint64_t), 0) < 0 &&
      errno == EFAULT;
  errno = saved_errno;
  return !faults;
}

bool can_read_at(uintptr_t address) {
  const uint64_t page = page_of(address);
  if (is_known(page, 0)) return true;
  // Within the page, whatever lies around it.
  const uintptr_t last = (page + 1) * page_size - sizeof(uint64_t);
  if (!kernel_reads(std::min(address, last))) return false;
  remember(page, 0);
  return true;
}

}  // namespace

bool can_read_apart(const void* pointer, size_t length) {
  const auto first = reinterpret_cast<uintptr_t>(pointer);
  const uintptr_t last = first + length - 1;
  if (!may_be_memory(pointer) || last < first || !may_be_memory(reinterpret_cast<void*>(last)))
    return false;
  return can_read_at(first) && (page_of(first) == page_of(last) || can_read_at(last));
}

size_t readable(const void* pointer, size_t length) {
  if (can_read(pointer, length)) return length;
  const auto first = reinterpret_cast<uintptr_t>(pointer);
  if (!may_be_memory(pointer) || !can_read_at(first)) return 0;
  // The last page that can be read, were all before it good.
  uint64_t good = page_of(first);
  uint64_t bad = page_of(std::min(first + length - 1, uintptr_t{1} << 56));
  if (first + length - 1 < first) bad = page_of(uintptr_t{1} << 56);
  while (good + 1 < bad) {
    const uint64_t middle = good + (bad - good) / 2;
    (can_read_at(middle * page_size) ? good : bad) = middle;
  }
  return (good + 1) * page_size - first;
}

bool can_write(int socket, void* pointer) {
  if (is_on_stack(pointer, 1)) return true;
  if (!may_be_memory(pointer)) return false;
  const uint64_t page = page_of(reinterpret_cast<uintptr_t>(pointer));
  if (is_known(page, writable)) return true;
  if (!can_read(pointer, 1)) return false;
  const int saved_errno = errno;
  auto* const byte = static_cast<volatile uint8_t*>(pointer);
  const uint8_t before = *byte;
  socklen_t one = 1;
  const bool faults =
      real::getsockopt(socket, SOL_SOCKET, SO_TYPE, pointer, &one) != 0 && errno == EFAULT;
  if (!faults) {
    *byte = before;
    remember(page, writable);
  }
  errno = saved_errno;
  return !faults;
}

}  // namespace gaiter::shim::memory
