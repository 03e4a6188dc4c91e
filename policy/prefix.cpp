#include "policy/prefix.h"

#include <algorithm>
#include <bit>

namespace gaiter::policy {
namespace {

constexpr int bits = 128;

// How many bits at the end are 0.
int trailing_zeros(const Address& a) {
  return a.low != 0 ? std::countr_zero(a.low) : 64 + std::countr_zero(a.high);
}

// With the last `count` bits set.
Address with_ones(const Address& a, int count) {
  const auto ones = [](int n) {
    return n <= 0 ? 0 : n >= 64 ? UINT64_MAX : UINT64_MAX >> (64 - n);
  };
  return {a.high | ones(count - 64), a.low | ones(count)};
}

Address without_ones(const Address& a, int count) {
  const Address ones = with_ones({}, count);
  return {a.high & ~ones.high, a.low & ~ones.low};
}

// How many bits at the end differ, up to the first that does.
int different_bits(const Address& a, const Address& b) {
  if (a.high != b.high) return bits - std::countl_zero(a.high ^ b.high);
  return 64 - std::countl_zero(a.low ^ b.low);
}

// The smallest block that holds both.
Block around(const Address& a, const Address& b) {
  const int size = different_bits(a, b);
  return {without_ones(a, size), with_ones(a, size)};
}

AddressRange as_addresses(const PortRange& range) { return {{0, range.first}, {0, range.last}}; }

}  // namespace

void append_blocks(const AddressRange& range, std::vector<Block>& out) {
  Address first = range.first;
  for (;;) {
    int size = std::min(trailing_zeros(first), bits);
    while (with_ones(first, size) > range.last) size--;
    const Address last = with_ones(first, size);
    out.push_back({first, last});
    if (last == range.last) return;
    first = {last.high + (last.low == UINT64_MAX), last.low + 1};
  }
}

void append_blocks(const PortRange& range, std::vector<Block>& out) {
  append_blocks(as_addresses(range), out);
}

// Cut where the two halves of the smallest block that holds all of it meet: either
// part reaches to that end, so its own block is at most twice its size.
void append_rough_blocks(const AddressRange& range, std::vector<Block>& out) {
  const Block whole = around(range.first, range.last);
  if (whole == Block{range.first, range.last} || range.first == range.last)
    return out.push_back(whole);
  const int half = different_bits(range.first, range.last) - 1;
  out.push_back(around(range.first, with_ones(range.first, half)));
  out.push_back(around(without_ones(range.last, half), range.last));
}

void append_rough_blocks(const PortRange& range, std::vector<Block>& out) {
  append_rough_blocks(as_addresses(range), out);
}

}  // namespace gaiter::policy
