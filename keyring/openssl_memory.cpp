#include "keyring/openssl_memory.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace gaiter {
namespace {

// In front of what the caller gets.
struct alignas(16) Header {
  size_t size;  // as asked for
  uint32_t kind;
};
static_assert(sizeof(Header) == 16);

// Kinds: blocks of so many sizes, of which each list has the free ones, and two more.
constexpr size_t largest = 64 * 1024;
constexpr uint32_t sizes = 44;
constexpr uint32_t of_the_heap = sizes;  // malloc(3)
constexpr uint32_t alone = sizes + 1;    // a mapping of its own

// Multiples of 16 up to 128, then four for each doubling. `total` counts the header.
constexpr uint32_t kind_of(size_t total) {
  if (total <= 128) return static_cast<uint32_t>((total + 15) / 16 - 1);
  const auto bits = static_cast<uint32_t>(std::bit_width(total - 1));
  return 8 + (bits - 8) * 4 + static_cast<uint32_t>((total - 1) >> (bits - 3)) - 4;
}
constexpr size_t total_of(uint32_t kind) {
  if (kind < 8) return 16 * (size_t{kind} + 1);
  return size_t{(kind - 8) % 4 + 5} << ((kind - 8) / 4 + 5);
}
static_assert(kind_of(largest) == sizes - 1 && total_of(sizes - 1) == largest);
static_assert(total_of(kind_of(129)) == 160 && total_of(kind_of(256)) == 256);
static_assert(total_of(kind_of(257)) == 320 && total_of(kind_of(128)) == 128);

// A stack of free blocks: the top's address, which is a multiple of 16 and below 2^48, and in
// the rest of the word a tag against ABA.
constexpr int address_bits = 44;
constinit std::atomic<uint64_t> lists[sizes]{};

Header* top_of(uint64_t word) {
  const uint64_t address = (word & ((uint64_t{1} << address_bits) - 1)) << 4;
  return reinterpret_cast<Header*>(static_cast<uintptr_t>(address));
}
uint64_t word_for(Header* top, uint64_t before) {
  const uint64_t tag = (before >> address_bits) + 1;
  return tag << address_bits | uint64_t{reinterpret_cast<uintptr_t>(top)} >> 4;
}
// Where a free block keeps the next one: not in its header, which says what it is.
std::atomic<Header*>& next_of(Header* block) {
  return *reinterpret_cast<std::atomic<Header*>*>(block + 1);
}

void* map(size_t length) {
#ifdef __SANITIZE_ADDRESS__
  // The leak checker does not look into mappings, and would take for lost what only they hold.
  static_cast<void>(length);
  return nullptr;
#else
  void* const memory =
      mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, length, MADV_DONTDUMP);
  return memory;
#endif
}

// What new blocks are cut from: each chunk lies at a multiple of its size.
constexpr size_t chunk = 1024 * 1024;
constinit std::atomic<uintptr_t> uncut = 0;  // a chunk's end where nothing of it is left

bool map_chunk(uintptr_t seen) {
  auto* const memory = static_cast<uint8_t*>(map(2 * chunk));
  if (memory == nullptr) return false;
  const auto at = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t begin = (at + chunk - 1) / chunk * chunk;
  if (begin != at) munmap(memory, begin - at);
  munmap(memory + (begin - at) + chunk, at + chunk - begin);
  // Another thread may have been faster.
  if (!uncut.compare_exchange_strong(seen, begin)) munmap(memory + (begin - at), chunk);
  return true;
}

Header* cut(size_t total) {
  for (;;) {
    uintptr_t seen = uncut.load(std::memory_order_acquire);
    if (seen % chunk == 0 ? seen == 0 : chunk - seen % chunk < total) {
      if (!map_chunk(seen)) return nullptr;
      continue;
    }
    // A chunk that is used up to its last byte looks like one that begins.
    const uintptr_t end = seen + total;
    const uintptr_t next = end % chunk == 0 ? end - 1 : end;
    if (uncut.compare_exchange_weak(seen, next, std::memory_order_acq_rel))
      return reinterpret_cast<Header*>(seen);
  }
}

Header* take(uint32_t kind) {
  std::atomic<uint64_t>& list = lists[kind];
  uint64_t seen = list.load(std::memory_order_acquire);
  while (Header* const top = top_of(seen)) {
    const uint64_t rest = word_for(next_of(top).load(std::memory_order_relaxed), seen);
    if (list.compare_exchange_weak(seen, rest, std::memory_order_acquire)) return top;
  }
  return cut(total_of(kind));
}

void give_back(Header* block) {
  std::atomic<uint64_t>& list = lists[block->kind];
  uint64_t seen = list.load(std::memory_order_relaxed);
  do {
    next_of(block).store(top_of(seen), std::memory_order_relaxed);
  } while (!list.compare_exchange_weak(seen, word_for(block, seen), std::memory_order_release));
}

Header* header_of(void* memory) { return static_cast<Header*>(memory) - 1; }

void* allocate(size_t size, const char*, int) {
  if (size == 0 || size > SIZE_MAX / 2) return nullptr;
  const size_t total = std::max(size + sizeof(Header), 2 * sizeof(Header));
  uint32_t kind = total > largest ? alone : kind_of(total);
  Header* block = kind == alone ? static_cast<Header*>(map(total)) : take(kind);
  if (block == nullptr) {
    kind = of_the_heap;
    block = static_cast<Header*>(std::malloc(total));
  }
  if (block == nullptr) return nullptr;
  *block = {size, kind};
  return block + 1;
}

void release(void* memory, const char*, int) {
  if (memory == nullptr) return;
  Header* const block = header_of(memory);
  explicit_bzero(memory, block->size);
  if (block->kind == alone) {
    munmap(block, block->size + sizeof(Header));
  } else if (block->kind == of_the_heap) {
    std::free(block);
  } else {
    give_back(block);
  }
}

void* reallocate(void* memory, size_t size, const char* file, int line) {
  if (memory == nullptr) return allocate(size, file, line);
  if (size == 0) {
    release(memory, file, line);
    return nullptr;
  }
  Header* const block = header_of(memory);
  if (block->kind < sizes && size <= total_of(block->kind) - sizeof(Header)) {
    if (size < block->size)
      explicit_bzero(static_cast<uint8_t*>(memory) + size, block->size - size);
    block->size = size;
    return memory;
  }
  void* const fresh = allocate(size, file, line);
  if (fresh == nullptr) return nullptr;
  memcpy(fresh, memory, std::min(size, block->size));
  release(memory, file, line);
  return fresh;
}

}  // namespace

void* InOpenSslMemory::operator new(size_t size) {
  void* const memory = OPENSSL_malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void InOpenSslMemory::operator delete(void* memory) { OPENSSL_free(memory); }

void install_openssl_memory() { CRYPTO_set_mem_functions(allocate, reallocate, release); }

}  // namespace gaiter
