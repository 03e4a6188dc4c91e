// Ranges as the blocks that prefixes make: two blocks are apart, or one lies in
// the other, which is what makes them searchable.
#pragma once

#include <vector>

#include "policy/rule.h"

namespace gaiter::policy {

// All numbers that begin with the same bits.
struct Block {
  Address first;
  Address last;
  auto operator<=>(const Block&) const = default;
};

// The fewest blocks that make up a range: at most 254 for IPv6, 62 for IPv4, 30
// for ports, and one for what is written as a network.
void append_blocks(const AddressRange& range, std::vector<Block>& out);

// The same of ports, which count as addresses of 16 bits.
void append_blocks(const PortRange& range, std::vector<Block>& out);

// One or two blocks that hold all of the range, and as much again at most.
void append_rough_blocks(const AddressRange& range, std::vector<Block>& out);
void append_rough_blocks(const PortRange& range, std::vector<Block>& out);

}  // namespace gaiter::policy
