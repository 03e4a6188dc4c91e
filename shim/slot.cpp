#include "shim/slot.h"

#include "shim/arena.h"
#include "shim/family.h"

namespace gaiter::shim {

namespace {

uint32_t member_of(uint64_t holder) { return static_cast<uint32_t>(holder >> 32); }
uint32_t count_of(uint64_t holder) { return static_cast<uint32_t>(holder); }

void drop(Slot& slot, uint64_t count) {
  const uint64_t what = count * Slot::descriptor;
  if (slot.references().fetch_sub(what, std::memory_order_acq_rel) == what) end_slot(slot);
}

// Adds to a member's count; takes a free place if `may_begin`.
bool count_up(Slot& slot, uint32_t member, bool may_begin) {
  for (auto& holder : slot.holders) {
    uint64_t seen = holder.load(std::memory_order_relaxed);
    while (member_of(seen) == member || (may_begin && seen == 0)) {
      const uint64_t more = (uint64_t{member} << 32 | count_of(seen)) + 1;
      if (holder.compare_exchange_weak(seen, more)) return true;
    }
  }
  return false;
}

}  // namespace

void hold(Slot& slot, uint32_t member) {
  slot.references().fetch_add(Slot::descriptor, std::memory_order_acq_rel);
  if (!count_up(slot, member, false)) count_up(slot, member, true);
}

void hold(Slot& slot) { hold(slot, family::self()); }

void give_up(Slot& slot) {
  const uint32_t self = family::self();
  for (auto& holder : slot.holders) {
    uint64_t seen = holder.load(std::memory_order_relaxed);
    while (member_of(seen) == self) {
      if (holder.compare_exchange_weak(seen, count_of(seen) == 1 ? 0 : seen - 1)) {
        drop(slot, 1);
        return;
      }
    }
  }
  drop(slot, 1);
}

void forget_holder(Slot& slot, uint32_t member) {
  for (auto& holder : slot.holders) {
    uint64_t seen = holder.load(std::memory_order_relaxed);
    if (member_of(seen) == member && holder.compare_exchange_strong(seen, 0))
      drop(slot, count_of(seen));
  }
}

void collect_abandoned_slots() {
  static constinit std::atomic<uint32_t> due = 512;
  const uint32_t used = arena::handed_out(arena::Block::slot);
  uint32_t expected = due.load(std::memory_order_relaxed);
  if (used < expected || !due.compare_exchange_strong(expected, 2 * used)) return;
  const uint32_t self = family::self();
  // Slots of one member lie together: it is asked for once.
  uint32_t asked = self;
  bool gone = false;
  for (uint32_t number = 1; number <= used; ++number) {
    Slot& slot = *static_cast<Slot*>(arena::at(arena::Block::slot, number));
    if (descriptors(slot) == 0) continue;
    for (const auto& holder : slot.holders) {
      const uint32_t member = member_of(holder.load(std::memory_order_relaxed));
      if (member == 0 || member == self) continue;
      if (member != asked) gone = family::is_gone(asked = member);
      if (gone) forget_holder(slot, member);
    }
  }
}

bool is_last_descriptor(Slot& slot) {
  if (descriptors(slot) == 1) return true;
  for (const auto& holder : slot.holders) {
    const uint32_t member = member_of(holder.load());
    if (member != 0 && family::is_gone(member)) forget_holder(slot, member);
  }
  return descriptors(slot) == 1;
}

}  // namespace gaiter::shim
