#include "shim/fd_table.h"

#include <sched.h>
#include <sys/mman.h>

#include <new>

#include "shim/arena.h"
#include "shim/lock.h"

namespace gaiter::shim::fd_table {

constinit std::atomic<uint32_t> near[near_size]{};

namespace {

// Descriptors go up to fs.nr_open, at most 2^30: 2^14 chunks of 2^16.
constexpr int chunk_bits = 16;
constinit std::atomic<std::atomic<uint32_t>*> chunks[1 << 14]{};
constinit std::atomic<int> top = -1;

std::atomic<uint32_t>* entry_for(int fd, bool make) {
  if (fd < 0) return nullptr;
  if (static_cast<uint32_t>(fd) < near_size) return &near[fd];
  if (fd >= 1 << 30) return nullptr;
  auto& chunk = chunks[fd >> chunk_bits];
  std::atomic<uint32_t>* found = chunk.load(std::memory_order_acquire);
  if (found == nullptr) {
    if (!make) return nullptr;
    constexpr size_t size = sizeof(std::atomic<uint32_t>) << chunk_bits;
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    auto* const fresh = static_cast<std::atomic<uint32_t>*>(memory);
    if (chunk.compare_exchange_strong(found, fresh, std::memory_order_acq_rel)) {
      found = fresh;
    } else {
      munmap(memory, size);
    }
  }
  return found + (fd & ((1 << chunk_bits) - 1));
}

// In place of a number between withdraw() and settle().
constexpr uint32_t unsettled = UINT32_MAX;

// Keeps fork(2) apart from changes.
constinit Lock gate;

Slot* slot_of(uint32_t number) { return static_cast<Slot*>(arena::at(arena::Block::slot, number)); }

}  // namespace

std::atomic<uint32_t>* far(int fd) { return entry_for(fd, false); }

SlotRef find(int fd) {
  std::atomic<uint32_t>* const entry = entry_for(fd, false);
  if (entry == nullptr) return {};
  for (;;) {
    const uint32_t number = entry->load(std::memory_order_acquire);
    if (number == 0) return {};
    if (number == unsettled) {
      sched_yield();
      continue;
    }
    Slot* const slot = slot_of(number);
    if (!enter(*slot)) continue;
    SlotRef reference(slot);
    // The number may have been closed and given to another meanwhile.
    if (entry->load(std::memory_order_acquire) == number) return reference;
  }
}

bool leads_to(int fd, const Slot& slot) {
  const std::atomic<uint32_t>* const entry = entry_for(fd, false);
  return entry != nullptr &&
         entry->load(std::memory_order_acquire) == arena::number_of(arena::Block::slot, &slot);
}

int number_for(const Slot& slot) {
  for (int fd = top.load(std::memory_order_acquire); fd >= 0; --fd) {
    if (leads_to(fd, slot)) return fd;
  }
  return -1;
}

bool publish(int fd, Slot& slot) {
  std::atomic<uint32_t>* const entry = entry_for(fd, true);
  if (entry == nullptr) return false;
  const LockGuard guard(gate, true);
  slot.references.fetch_add(Slot::descriptor, std::memory_order_acq_rel);
  entry->store(arena::number_of(arena::Block::slot, &slot), std::memory_order_release);
  int seen = top.load(std::memory_order_relaxed);
  while (seen < fd && !top.compare_exchange_weak(seen, fd)) {
  }
  return true;
}

Slot* withdraw(int fd) {
  std::atomic<uint32_t>* const entry = entry_for(fd, false);
  if (entry == nullptr) return nullptr;
  const LockGuard guard(gate, true);
  uint32_t number = entry->load(std::memory_order_acquire);
  while (number != 0 && number != unsettled && !entry->compare_exchange_weak(number, unsettled)) {
  }
  return number == 0 || number == unsettled ? nullptr : slot_of(number);
}

void settle(int fd) {
  std::atomic<uint32_t>* const entry = entry_for(fd, false);
  uint32_t expected = unsettled;
  if (entry != nullptr) entry->compare_exchange_strong(expected, 0, std::memory_order_release);
}

void for_each(void (*visit)(int fd, Slot& slot, void* context), void* context) {
  const int last = top.load(std::memory_order_acquire);
  for (int fd = 0; fd <= last; ++fd) {
    if (const SlotRef slot = find(fd)) visit(fd, *slot.get(), context);
  }
}

namespace {

void add_to_all(uint64_t references) {
  const int last = top.load(std::memory_order_acquire);
  for (int fd = 0; fd <= last; ++fd) {
    const std::atomic<uint32_t>* const entry = entry_for(fd, false);
    if (entry == nullptr) continue;
    const uint32_t number = entry->load(std::memory_order_acquire);
    if (number != 0 && number != unsettled) slot_of(number)->references.fetch_add(references);
  }
}

}  // namespace

// The gate is taken by hand: prepare and thaw are different functions.
void freeze_for_fork() {
  gate.acquire(true);
  add_to_all(Slot::descriptor);
}

void thaw_in_parent() { gate.release(LockResult::acquired); }

void thaw_in_child() { new (&gate) Lock; }

void undo_fork() { add_to_all(-Slot::descriptor); }

}  // namespace gaiter::shim::fd_table
