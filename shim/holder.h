// What this process alone knows of a slot.
//
// The slot itself lies in memory that it shares with other processes, of which one may lie.
// So what it is, how long it is used here, what decides whether bytes are sealed, by which
// rule, and for whom, is here: private memory, found by the slot's address, of which a fork
// child has a copy.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/records.h"
#include "shim/arena.h"

namespace gaiter::shim {

class ActiveRule;
struct ReadDesk;
enum class ClearText : uint8_t;
enum class State : uint8_t;

enum class Kind : uint8_t { connection, epoll_set, relay_end };

struct Holder {
  // This process's descriptors in the upper half, its operations in the lower. A slot without a
  // descriptor cannot be entered any more; at 0 it is over here.
  std::atomic<uint64_t> references{0};

  std::atomic<ActiveRule*> rule{nullptr};
  std::atomic<void*> part{nullptr};  // Connection::PrivatePart
  engine::HighWater mark;            // under the lock of Writing
  // Absolute; when the handshake must be done. 0 = no clock runs.
  std::atomic<int64_t> deadline{0};
  std::atomic<uint64_t> cookie{0};  // SO_COOKIE; 0 = not protected yet
  ReadDesk* desk = nullptr;         // under the lock of Reading
  uint8_t* flight = nullptr;        // the batch that is being sent, under the lock of Writing
  std::atomic<int> error{0};        // of State::failed
  std::atomic<Kind> kind{};
  arena::Block flight_block{};
  // The furthest state that was ever seen. Shared memory may say more, and never less.
  std::atomic<State> seen{};
  std::atomic<ClearText> clear{};             // what is still possible
  std::atomic<bool> returns_to_fresh{false};  // this process is about to say so itself
  std::atomic<bool> is_clear{false};          // state fresh, for good: it turned out so
  std::atomic<bool> is_observed{false};       // mode = "monitor", and the client began TLS
  // Another process has connected it: the handshake, and whom to expect, is its business.
  std::atomic<bool> is_foreign{false};
  // Connected in clear by this process, as the policy has it.
  std::atomic<bool> passed{false};
  // A fork has shared it: what is left in a desk must lie where others find it.
  std::atomic<bool> is_shared{false};
  // And it was fresh then: somebody else may connect it.
  std::atomic<bool> others_may_connect{false};
  // It was passed on, or inherited, while it was fresh: and they may be of another family.
  std::atomic<bool> travels{false};
  const void* asking = nullptr;  // the epoll registration for which data is read ahead
  bool keeps_desk = false;       // over a fork
  bool outbox_is_warm = false, inbox_is_warm = false;  // their pages are kept
  bool outbox_was_used = false, inbox_was_used = false;

  // For another slot in the same place. Who holds an outdated number may look at `references`,
  // which is 0 and stays so.
  void begin(Kind what);
};
static_assert(sizeof(Holder) <= arena::record_size);

}  // namespace gaiter::shim
