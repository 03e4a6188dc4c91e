// A record of look-ups: which names led to which addresses.
//
// It lies in memory that others may write, a fork family's (MAP_SHARED), so nothing in it
// is believed: there are no pointers, each offset and length is checked at every use, and
// no walk is longer than the memory. Entries are only ever added, without a lock, so one
// who is killed, or forks, in the middle leaves nothing that could harm: every function
// may be called in any thread, process and signal handler.
//
// What finds no room is not in it, but its address is marked: see complete().
//
// Layout, version 1: Header, then entries of 32 bytes and the name, each at a multiple of 8.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace gaiter::shim {

// An address without port or scope; IPv4 as v4-mapped.
using HostBytes = std::array<uint8_t, 16>;

// Where an entry begins; 0 = none.
using EntryOffset = uint32_t;

class NameRecord {
 public:
  static constexpr size_t least_size = 64 * 1024;

  struct Entry {
    EntryOffset at;
    uint16_t port;   // 0 = for any service
    uint64_t order;  // larger: looked up later
    std::string name;
  };

  NameRecord() = default;
  // Zeros, or a record; `memory` must outlive this. At least least_size.
  explicit NameRecord(std::span<uint8_t> memory) : memory_(memory) {}

  explicit operator bool() const { return !memory_.empty(); }
  std::span<uint8_t> memory() const { return memory_; }
  // How many bytes from the start were ever written.
  size_t used() const;

  // Remembers that `name`, no longer than longest_name (a_labels.h), led to `host` for the service
  // at `port`. 0 without room. Never allocates.
  EntryOffset add(const HostBytes& host, uint16_t port, std::string_view name,
                  uint64_t order) const;

  // Calls visit(entry) for those of `host`, in any order, until it says true. Allocates.
  void visit(const HostBytes& host, const std::function<bool(Entry)>& visit) const;

  // The entry that add() gave; an empty name if there is none of `host` any more.
  Entry read(EntryOffset at, const HostBytes& host) const;

  // False if a look-up that led to `host` may have found no room.
  bool complete(const HostBytes& host) const;

 private:
  static constexpr size_t bucket_count = 4096;
  static constexpr size_t lost_bits = 65'536;

  struct Header {
    std::atomic<uint32_t> used;  // bytes of the entries
    uint32_t spare;
    std::atomic<uint64_t> lost[lost_bits / 64];
    std::atomic<EntryOffset> buckets[bucket_count];
  };
  struct Stored {
    std::atomic<uint64_t> order;
    std::atomic<EntryOffset> next;
    uint16_t port;
    uint8_t length;
    uint8_t spare;
    HostBytes host;
    char* name() { return reinterpret_cast<char*>(this + 1); }
  };
  static_assert(sizeof(Stored) == 32 && sizeof(Header) < least_size);

  Header& header() const { return *reinterpret_cast<Header*>(memory_.data()); }
  // Null unless a whole entry with its name lies there.
  Stored* stored(EntryOffset at) const;
  EntryOffset allocate(size_t length) const;
  // Calls seen(offset, entry) along the chain until it says true.
  template <class Seen>
  EntryOffset walk(const HostBytes& host, Seen seen) const;

  std::span<uint8_t> memory_;
};

// False if `address` is neither IPv4 nor IPv6.
bool host_of(const sockaddr* address, HostBytes& host);
uint16_t port_of(const sockaddr* address);

}  // namespace gaiter::shim
