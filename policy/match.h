// Which rule matches a connection, found without looking at every rule.
//
// The local ports of the rules form a binary trie over the 16 bits of a port
// number; a rule hangs at the (at most 30) nodes that together cover its range.
// Each node keeps, for its rules, a map from remote port to the first of them.
// A look-up walks at most 17 nodes with one binary search in each, and building
// takes O(n log n) time and memory for n port ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/policy.h"

namespace gaiter::policy {

inline constexpr uint32_t no_rule = UINT32_MAX;

// From a port to the lowest rule number of those whose ranges contain it.
class PortMap {
 public:
  void add(PortRange range, uint32_t rule) { added_.push_back({range, rule}); }

  // Call once, after the last add().
  void build();

  uint32_t find(uint16_t port) const;
  uint32_t lowest() const { return lowest_; }

 private:
  struct Added {
    PortRange range;
    uint32_t rule;
  };
  struct Step {
    uint16_t first;  // from this port to the next step's
    uint32_t rule;
  };
  std::vector<Added> added_;  // until build()
  std::vector<Step> steps_;
  uint32_t lowest_ = no_rule;
};

// Immutable once made; refers to rules by their number alone.
class Matcher {
 public:
  explicit Matcher(const std::vector<Rule>& rules);

  // The number of the first rule that matches, or no_rule. Port 0 is in no range
  // that a policy can write. Without `remote`: the first that could match some.
  uint32_t find(Direction direction, uint16_t local, std::optional<uint16_t> remote) const;

 private:
  struct Node {
    uint32_t child[2] = {0, 0};  // 0 = none: no node has the root as its child
    PortMap remote;
  };
  using Trie = std::vector<Node>;

  static void insert(Trie& trie, PortRange local, PortRange remote, uint32_t rule);

  Trie inbound_;
  Trie outbound_;
};

}  // namespace gaiter::policy
