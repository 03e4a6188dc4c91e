// What stands behind a descriptor in the table (a connection, an epoll set, ...),
// counted by the descriptors that lead to it and by the operations under way.
//
// How long it is there for this process is counted privately (Holder). How many descriptors
// the whole family has is counted in shared memory, and decides no more than who says goodbye.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "shim/holder.h"

namespace gaiter::shim {

struct Slot {
  explicit Slot(Kind what) { holder().begin(what); }

  Holder& holder() const { return *static_cast<Holder*>(arena::record_of(this)); }
  Kind kind() const { return holder().kind.load(std::memory_order_relaxed); }
  std::atomic<uint64_t>& references() const { return holder().references; }

  // Of all processes.
  std::atomic<uint32_t> descriptors_of_all{0};
  // Whose they are: member (family.h) << 32 | count. Descriptors of more members than this are
  // counted, but nobody can give them back for a dead one.
  static constexpr int known_holders = 7;
  std::atomic<uint64_t> holders[known_holders]{};

  static constexpr uint64_t descriptor = uint64_t{1} << 32;
  static constexpr uint64_t operation = 1;
};

// Ends, for this process, a slot whose references reached 0 (connection.cpp).
void end_slot(Slot& slot);

// One more descriptor of this process.
void hold(Slot& slot);
// One of `member`, a child that is about to be.
void hold_for(Slot& slot, uint32_t member);
// Of a child that inherited it where nobody counted.
void hold_inherited(Slot& slot);

// This process's descriptor is closed.
void give_up(Slot& slot);

// Whether this process has the only descriptor that is left. Takes those of
// members that are gone off the count.
bool is_last_descriptor(Slot& slot);

// Whether another process has one, as far as is known.
bool is_held_elsewhere(const Slot& slot);

// All descriptors that `member`, which is not this process or has ended, held.
void forget_holder(Slot& slot, uint32_t member);

inline bool enter(const Slot& slot) {
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
  return slot.descriptors_of_all.load(std::memory_order_relaxed);
}
inline uint32_t descriptors_here(const Slot& slot) {
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

// The slot that another member named in shared memory, entered; empty if it is not here.
SlotRef enter_named(arena::Reference reference, Kind kind);

}  // namespace gaiter::shim
