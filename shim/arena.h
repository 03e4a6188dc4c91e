// Memory that a process shares with the children it forks, exactly those: what is made after
// a fork lies where earlier children have nothing.
//
// Slots (a connection, an epoll set) lie in segments, each a mapping of its own. A fork closes
// all that are there: what is made later lies in new ones. A segment is unmapped when the last
// of its slots that this process knows is gone. Which parts of a segment are in use is known
// privately: nothing that lies in shared memory says where anything lies.
//
//   connections: [pages of slots_per_page slots each] [for each slot: inbox, outbox]
//   epoll set:   [a page with the slot] [registrations]
//
// Buffers and registrations are address space until they are used. Beside them there are blocks
// of private memory, for what one call needs. Thread-safe; a signal handler that interrupted
// the making of a slot gets none. Nothing here is dumped into core files.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gaiter::shim::arena {

inline constexpr size_t page_size = 4096;
inline constexpr size_t slot_size = 680;
inline constexpr size_t slots_per_page = page_size / slot_size;

// ---- blocks of private memory, each kind from its own lock-free list ----

enum class Block : uint8_t {
  batch,  // ciphertext of several records, as one system call moves it
  bulk,   // of many, for a long write: held no longer than the call
};
inline constexpr size_t block_kinds = 2;
inline constexpr size_t batch_size = 72 * 1024;
inline constexpr size_t bulk_size = 272 * 1024;
// Before a batch, for the state that goes with it (desk.h).
inline constexpr size_t batch_head = 512;
constexpr size_t size_of(Block block) {
  return block == Block::batch ? batch_head + batch_size : bulk_size;
}

// nullptr if memory (or address space) has run out. Contents are undefined.
void* allocate(Block block);
void release(Block block, void* memory);

// ---- the family ----

// Room that all members see, zero at first, for what they must know of each other (family.h).
// nullptr as allocate().
inline constexpr size_t family_size = 132 * 1024;
void* family();

// ---- slots ----

// Memory for one more, zero or of one that ended, in a segment that no other process has.
// nullptr: none is left.
void* make_slot();
// For an epoll set: a segment of its own.
void* make_set_slot();
// That slot is over for this process. Its segment may go.
void end_slot(void* slot);

// Whether no fork has seen it.
bool is_open(const void* slot);

// A slot's number in this process and its children, never 0, below 2^30.
uint32_t number_of(const void* slot);
void* at(uint32_t number);

// What this process alone knows of a slot: record_size bytes of private memory, of which a
// fork child has a copy; there whether the slot is or not.
inline constexpr size_t record_size = 104;
void* record_of(const void* slot);

// How members name a slot to each other, in shared memory. resolve(): nullptr if this process
// has not that segment, whatever else may lie there; else an address of a slot, which may be
// one that has ended.
struct Reference {
  uint64_t segment;
  uint32_t number;
};
Reference reference_to(const void* slot);
void* resolve(Reference reference);

// A connection's buffers, or an epoll set's room for registrations. nullptr: not a slot here.
uint8_t* inbox_of(const void* slot);   // batch_size
uint8_t* outbox_of(const void* slot);  // bulk_size
struct Room {
  uint8_t* data;
  size_t size;
};
Room registrations_of(const void* slot);
// Gives the memory of whole pages back: they read as zeros then.
void give_back(uint8_t* buffer, size_t size);

// Calls visit(record) for the record of each slot that is in use here.
void for_each_record(void (*visit)(void* record, void* context), void* context);

// This process gives up rights: lets go of every page on which it has no slot in use.
void give_up_rest();
// A filter on system calls is about to be set: from now on no segment is unmapped, and there
// is room for some connections without another mapping.
void prepare_for_filter();

// Around fork(2). In between, nothing is made. The last also in a child for which the first
// was not called; more than once does no harm.
void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

// Bytes of address space that all this takes, reserved now if it was not yet; 0 if there
// is none. And of those how many count as data (RLIMIT_DATA).
size_t reserved();
size_t private_size();

}  // namespace gaiter::shim::arena
