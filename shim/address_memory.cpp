#include "shim/address_memory.h"

namespace gaiter::shim::address_memory {

namespace {

struct Place {
  std::atomic<const void*> memory;  // nullptr = free
  std::atomic<EntryOffset> entry;
};

constexpr size_t place_count = 4096;
// An address lies in one of so many places, from the one of its hash on.
constexpr size_t reach = 16;
constinit Place places[place_count]{};

// Who fills a place has it marked until the entry is in.
const char being_filled = 0;

size_t hash_of(const void* memory) {
  const auto number = reinterpret_cast<uintptr_t>(memory) / 16;
  return (number * 0x9e37'79b9'7f4a'7c15U) >> 40;
}

template <class Visit>
void visit(const void* memory, Visit visit) {
  for (size_t i = 0; i < reach; ++i) {
    if (visit(places[(hash_of(memory) + i) % place_count])) return;
  }
}

}  // namespace

void remember(const void* memory, EntryOffset entry) {
  forget(memory);
  visit(memory, [&](Place& place) {
    const void* expected = nullptr;
    if (!place.memory.compare_exchange_strong(expected, &being_filled)) return false;
    place.entry.store(entry, std::memory_order_relaxed);
    place.memory.store(memory, std::memory_order_release);
    return true;
  });
}

EntryOffset find(const void* memory) {
  EntryOffset found = 0;
  visit(memory, [&](Place& place) {
    if (place.memory.load(std::memory_order_acquire) != memory) return false;
    found = place.entry.load(std::memory_order_relaxed);
    return place.memory.load(std::memory_order_acquire) == memory;
  });
  return found;
}

void forget(const void* memory) {
  visit(memory, [&](Place& place) {
    const void* expected = memory;
    place.memory.compare_exchange_strong(expected, nullptr);
    return false;
  });
}

}  // namespace gaiter::shim::address_memory
