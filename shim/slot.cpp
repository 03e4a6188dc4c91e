#include "shim/slot.h"

#include "shim/family.h"

namespace gaiter::shim {

namespace {

uint32_t member_of(uint64_t holder) { return static_cast<uint32_t>(holder >> 32); }
uint32_t count_of(uint64_t holder) { return static_cast<uint32_t>(holder); }

// What others wrote there may be anything: the count stops at 0.
void drop(Slot& slot, uint32_t count) {
  uint32_t seen = slot.descriptors_of_all.load(std::memory_order_relaxed);
  while (
      !slot.descriptors_of_all.compare_exchange_weak(seen, seen - (seen < count ? seen : count))) {
  }
}

// Adds to a member's count; takes a free place if `may_begin`.
bool count_up(Slot& slot, uint32_t member, bool may_begin) {
  for (auto& holder : slot.holders) {
    uint64_t seen = holder.load(std::memory_order_relaxed);
    for (int tries = 0; member_of(seen) == member || (may_begin && seen == 0);) {
      const uint64_t more = (uint64_t{member} << 32 | count_of(seen)) + 1;
      if (holder.compare_exchange_weak(seen, more)) return true;
      if (++tries == 1000) return false;
    }
  }
  return false;
}

void count_down(Slot& slot, uint32_t member) {
  for (auto& holder : slot.holders) {
    uint64_t seen = holder.load(std::memory_order_relaxed);
    for (int tries = 0; member_of(seen) == member && tries < 1000; ++tries)
      if (holder.compare_exchange_weak(seen, count_of(seen) <= 1 ? 0 : seen - 1)) return;
  }
}

}  // namespace

void Holder::begin(Kind what) {
  rule = nullptr;
  part = nullptr;
  mark = {};
  deadline = 0;
  cookie = 0;
  desk = nullptr;
  flight = nullptr;
  error = 0;
  kind = what;
  seen = State{};
  clear = ClearText{};
  returns_to_fresh = is_clear = is_observed = is_foreign = passed = false;
  is_shared = others_may_connect = travels = false;
  asking = nullptr;
  keeps_desk = false;
  outbox_is_warm = inbox_is_warm = outbox_was_used = inbox_was_used = false;
}

void hold_for(Slot& slot, uint32_t member) {
  slot.descriptors_of_all.fetch_add(1, std::memory_order_acq_rel);
  if (!count_up(slot, member, false)) count_up(slot, member, true);
}

void hold(Slot& slot) {
  slot.references().fetch_add(Slot::descriptor, std::memory_order_acq_rel);
  hold_for(slot, family::self());
}

void hold_inherited(Slot& slot) { hold_for(slot, family::self()); }

void give_up(Slot& slot) {
  count_down(slot, family::self());
  drop(slot, 1);
  if (slot.references().fetch_sub(Slot::descriptor, std::memory_order_acq_rel) ==
      Slot::descriptor) {
    end_slot(slot);
  }
}

void forget_holder(Slot& slot, uint32_t member) {
  for (auto& holder : slot.holders) {
    uint64_t seen = holder.load(std::memory_order_relaxed);
    if (member_of(seen) == member && holder.compare_exchange_strong(seen, 0))
      drop(slot, count_of(seen));
  }
}

bool is_last_descriptor(Slot& slot) {
  if (descriptors(slot) <= 1) return true;
  for (const auto& holder : slot.holders) {
    const uint32_t member = member_of(holder.load());
    if (member != 0 && family::is_gone(member)) forget_holder(slot, member);
  }
  return descriptors(slot) <= 1;
}

bool is_held_elsewhere(const Slot& slot) { return descriptors(slot) > descriptors_here(slot); }

SlotRef enter_named(arena::Reference reference, Kind kind) {
  auto* const slot = static_cast<Slot*>(arena::resolve(reference));
  if (slot == nullptr || !enter(*slot)) return {};
  SlotRef entered(slot);
  return slot->kind() == kind ? std::move(entered) : SlotRef();
}

}  // namespace gaiter::shim
