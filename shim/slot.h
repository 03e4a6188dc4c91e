// What stands behind a descriptor in the table (a connection, an epoll set, ...),
// counted by the descriptors that lead to it (in all processes) and by the
// operations under way.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace gaiter::shim {

enum class Kind : uint8_t { connection, epoll_set, relay_end };

struct Slot {
  // Its memory may still be looked at by who holds an outdated number: `references` is 0
  // before and stays so, but is never written as if nobody read it.
  explicit Slot(Kind what) : kind(what) { references().store(0, std::memory_order_relaxed); }

  uint32_t arena_link = 0;  // the arena's, while the slot is free
  const Kind kind;
  // Descriptors in the upper half, operations in the lower. A slot without a
  // descriptor cannot be entered any more; at 0 it is free.
  std::atomic_ref<uint64_t> references() const { return std::atomic_ref(references_); }
  // Whose the descriptors are: member (family.h) << 32 | count. Descriptors of more
  // members than this are counted, but nobody can give them back for a dead one.
  static constexpr int known_holders = 8;
  std::atomic<uint64_t> holders[known_holders]{};

  static constexpr uint64_t descriptor = uint64_t{1} << 32;
  static constexpr uint64_t operation = 1;

 private:
  alignas(std::atomic_ref<uint64_t>::required_alignment) mutable uint64_t references_;
};

// Ends a slot whose references reached 0 (connection.cpp).
void end_slot(Slot& slot);

// One more descriptor of `member`, or of this process.
void hold(Slot& slot, uint32_t member);
void hold(Slot& slot);

// This process's descriptor is closed.
void give_up(Slot& slot);

// Whether this process has the only descriptor that is left. Takes those of
// members that are gone off the count.
bool is_last_descriptor(Slot& slot);

// All descriptors that `member`, which is not this process or has ended, held.
void forget_holder(Slot& slot, uint32_t member);

// Ends the slots that only members hold which were killed, or execute other programs.
// Now and then: when there are twice as many slots as at the last time.
void collect_abandoned_slots();

inline bool enter(Slot& slot) {
  uint64_t seen = slot.references().load(std::memory_order_relaxed);
  do {
    if (seen < Slot::descriptor) return false;
  } while (!slot.references().compare_exchange_weak(seen, seen + Slot::operation,
                                                    std::memory_order_acquire));
  return true;
}

inline void leave(Slot& slot, uint64_t what = Slot::operation) {
  if (what == Slot::descriptor) return give_up(slot);
  if (slot.references().fetch_sub(what, std::memory_order_acq_rel) == what) end_slot(slot);
}

inline uint32_t descriptors(const Slot& slot) {
  return static_cast<uint32_t>(slot.references().load(std::memory_order_relaxed) >> 32);
}

// An operation under way on a slot: keeps it from ending.
class SlotRef {
 public:
  SlotRef() = default;
  explicit SlotRef(Slot* entered) : slot_(entered) {}
  SlotRef(SlotRef&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  SlotRef& operator=(SlotRef&& other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~SlotRef() {
    if (slot_ != nullptr) leave(*slot_);
  }
  explicit operator bool() const { return slot_ != nullptr; }
  Slot* get() const { return slot_; }

 private:
  Slot* slot_ = nullptr;
};

}  // namespace gaiter::shim
