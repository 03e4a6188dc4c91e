// A connection as it is sent to a relay's maker that shares no memory with it (relay_nursery.h):
// plain data, then the bytes of the inbox and those of the outbox.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <memory>

#include "engine/records.h"
#include "shim/arena.h"

namespace gaiter::shim {

struct Portable {
  uint64_t rule;  // ActiveRule::number()
  engine::ReadState read;
  engine::WriteState write;
  engine::HighWater mark;
  sockaddr_in6 remote;
  uint32_t plain, cipher, waiting;  // bytes
  uint32_t low_water;
  uint8_t past_tickets, deferred;
  uint8_t ended, shut, cut_off, told, parted, kernel_shut;             // of Reading
  uint8_t write_shut, write_ended, owes_update, owes_refusal, finish;  // of Writing
};

// With room for the longest.
struct PortableBytes {
  static constexpr size_t room = arena::batch_size + arena::batch_size;
  std::unique_ptr<uint8_t[]> data{new uint8_t[room]};
  size_t length = 0;
};

}  // namespace gaiter::shim
