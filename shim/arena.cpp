#include "shim/arena.h"

#include <sched.h>
#include <sys/mman.h>

#include <atomic>
#include <initializer_list>

namespace gaiter::shim::arena {

namespace {

// A stack of free blocks: the top's number, and a tag against ABA.
struct FreeList {
  std::atomic<uint64_t> top{0};
  std::atomic<uint32_t> touched{0};  // blocks ever handed out; those above are virgin
};

// At the arena's start.
struct Header {
  FreeList lists[block_kinds];
  alignas(64) uint8_t family[family_size];
};
constexpr size_t header_size = (sizeof(Header) + page_size - 1) / page_size * page_size;

struct Region {
  uint8_t* base = nullptr;
  uint32_t capacity = 0;
};

struct Arena {
  Header* header = nullptr;
  size_t total = 0;
  uint8_t* records = nullptr;
  Region regions[block_kinds];
};

constinit Arena arena{};
constinit std::atomic<int> stage = 0;  // 0 none, 1 being made, 2 ready, 3 impossible

std::atomic<uint32_t>& next_of(uint8_t* block) {
  return *reinterpret_cast<std::atomic<uint32_t>*>(block);
}

bool map(size_t total) {
  void* const memory = mmap(nullptr, total, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  madvise(memory, total, MADV_DONTDUMP);
  auto* const base = static_cast<uint8_t*>(memory);
  arena.header = reinterpret_cast<Header*>(base);
  arena.total = total;
  const size_t usable = total - header_size;
  uint8_t* at = base + header_size;
  const size_t shares[block_kinds] = {usable / 8, usable / 32, usable / 8, usable / 2, usable / 8};
  for (size_t i = 0; i < block_kinds; ++i) {
    const size_t size = size_of(static_cast<Block>(i));
    arena.regions[i] = {at, static_cast<uint32_t>(shares[i] / size)};
    at += shares[i] / page_size * page_size;
  }
  const size_t private_size = size_t{arena.regions[0].capacity} * record_size;
  void* const records = mmap(nullptr, private_size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (records == MAP_FAILED) {
    munmap(memory, total);
    return false;
  }
  arena.records = static_cast<uint8_t*>(records);
  return true;
}

bool ready() {
  int seen = stage.load(std::memory_order_acquire);
  if (seen == 2) [[likely]]
    return true;
  if (seen == 0 && stage.compare_exchange_strong(seen, 1, std::memory_order_acquire)) {
    // Address space only; less of it where the program's limits are tight.
    bool mapped = false;
    for (const int shift : {34, 32, 30, 28, 26, 24}) {
      if ((mapped = map(size_t{1} << shift))) break;
    }
    stage.store(mapped ? 2 : 3, std::memory_order_release);
    return mapped;
  }
  // By another thread; or by this one, whose signal handler we are, and then in vain.
  for (int i = 0; i < 10'000 && (seen = stage.load(std::memory_order_acquire)) == 1; ++i)
    sched_yield();
  return seen == 2;
}

}  // namespace

void after_fork_in_child() {
  int under_way = 1;  // by another thread of the parent; the child makes its own
  stage.compare_exchange_strong(under_way, 0);
}

size_t reserved() { return ready() ? arena.total : 0; }

void* family() { return ready() ? arena.header->family : nullptr; }

void* allocate(Block block) {
  if (!ready()) return nullptr;
  const auto index = static_cast<size_t>(block);
  FreeList& list = arena.header->lists[index];
  const Region& region = arena.regions[index];
  uint64_t top = list.top.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(top) != 0) {
    uint8_t* const found = region.base + (static_cast<uint32_t>(top) - 1) * size_of(block);
    const uint64_t tag = (top >> 32) + 1;
    const uint64_t next = tag << 32 | next_of(found).load(std::memory_order_relaxed);
    if (list.top.compare_exchange_weak(top, next, std::memory_order_acquire)) return found;
  }
  uint32_t virgin = list.touched.load(std::memory_order_relaxed);
  do {
    if (virgin == region.capacity) return nullptr;
  } while (!list.touched.compare_exchange_weak(virgin, virgin + 1, std::memory_order_relaxed));
  return region.base + virgin * size_of(block);
}

void release(Block block, void* memory) {
  if (memory == nullptr) return;
  FreeList& list = arena.header->lists[static_cast<size_t>(block)];
  const uint32_t number = number_of(block, memory);
  uint64_t top = list.top.load(std::memory_order_relaxed);
  uint64_t next;
  do {
    next_of(static_cast<uint8_t*>(memory))
        .store(static_cast<uint32_t>(top), std::memory_order_relaxed);
    next = ((top >> 32) + 1) << 32 | number;
  } while (!list.top.compare_exchange_weak(top, next, std::memory_order_release));
}

uint32_t number_of(Block block, const void* memory) {
  const uint8_t* const base = arena.regions[static_cast<size_t>(block)].base;
  const auto offset = static_cast<size_t>(static_cast<const uint8_t*>(memory) - base);
  return static_cast<uint32_t>(offset / size_of(block)) + 1;
}

void* at(Block block, uint32_t number) {
  return arena.regions[static_cast<size_t>(block)].base + (number - 1) * size_of(block);
}

void* record_of(const void* slot) {
  return arena.records + size_t{number_of(Block::slot, slot) - 1} * record_size;
}

uint32_t handed_out(Block block) {
  if (stage.load(std::memory_order_acquire) != 2) return 0;
  return arena.header->lists[static_cast<size_t>(block)].touched.load(std::memory_order_relaxed);
}

uint32_t number_limit(Block block) {
  if (stage.load(std::memory_order_acquire) != 2) return 0;
  return arena.regions[static_cast<size_t>(block)].capacity + 1;
}

}  // namespace gaiter::shim::arena
