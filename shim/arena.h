// Memory that a process shares with the children it forks: connections, epoll
// registrations, and the buffers that hold what was received or sealed.
//
// Blocks of five sizes, each from its own lock-free list: safe in every thread,
// process and signal handler. Nothing here is dumped into core files.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gaiter::shim::arena {

enum class Block : uint8_t {
  slot,          // a connection or an epoll set; whole cache lines
  registration,  // one descriptor in one epoll set
  page,          // a few sealed bytes that wait
  batch,         // ciphertext of several records, as one system call moves it
  bulk,          // of many, for a long write: held no longer than the call
};

inline constexpr size_t slot_size = 704;
inline constexpr size_t registration_size = 112;
inline constexpr size_t page_size = 4096;
inline constexpr size_t batch_size = 72 * 1024;
inline constexpr size_t bulk_size = 272 * 1024;
constexpr size_t size_of(Block block) {
  constexpr size_t sizes[] = {slot_size, registration_size, page_size, batch_size, bulk_size};
  return sizes[static_cast<size_t>(block)];
}
inline constexpr size_t block_kinds = 5;

// Room at the arena's start, zero at first, for what the family must know of its
// members (family.h). nullptr as allocate().
inline constexpr size_t family_size = 132 * 1024;
void* family();

void after_fork_in_child();

// Bytes of address space that all this takes, reserved now if it was not yet; 0 if
// there is none.
size_t reserved();

// nullptr if memory (or address space) has run out. Contents are undefined.
void* allocate(Block block);
void release(Block block, void* memory);

// A block's number within its kind, from 1, and back. number_limit is one more
// than the highest number; 0 before the first allocation.
uint32_t number_of(Block block, const void* memory);
void* at(Block block, uint32_t number);
uint32_t number_limit(Block block);
// What this process alone knows of the slot at that address: record_size bytes of private
// memory, zero at first, which a fork child has a copy of.
inline constexpr size_t record_size = 128;
void* record_of(const void* slot);

// How many blocks were ever handed out: those with higher numbers are untouched.
uint32_t handed_out(Block block);

}  // namespace gaiter::shim::arena
