// What this process alone knows of a connection.
//
// The connection itself lies in memory that it shares with other processes, of which one
// may lie. So what decides whether bytes are sealed, by which rule, and for whom, is here:
// private memory, found by the slot's address, of which a fork child has a copy.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/records.h"
#include "shim/arena.h"

namespace gaiter::shim {

class ActiveRule;
enum class ClearText : uint8_t;
enum class State : uint8_t;

struct Holder {
  std::atomic<ActiveRule*> rule{nullptr};
  std::atomic<void*> part{nullptr};  // Connection::PrivatePart
  engine::HighWater mark;            // under the lock of Writing
  // Absolute; when the handshake must be done. 0 = no clock runs.
  std::atomic<int64_t> deadline{0};
  std::atomic<uint64_t> cookie{0};  // SO_COOKIE; 0 = not protected yet
  std::atomic<int> error{0};        // of State::failed
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
  // A fork has shared it while it was fresh: somebody else may connect it.
  std::atomic<bool> others_may_connect{false};
};
static_assert(sizeof(Holder) <= arena::record_size);

}  // namespace gaiter::shim
