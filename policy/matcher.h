// Which rule is the first for a connection, found without looking at every rule.
//
// A condition is a set of numbers: ports, addresses, users, groups, and units by
// their place in a list of their names. Ranges are cut into the blocks that prefixes
// make, which lie apart or in each other; the innermost that holds a value and its
// parents are all that hold it. So for each kind of condition (a level) the value is
// sought once among all blocks of the policy, by binary search. With the numbers of
// these blocks a tree of seven levels is gone down, those with the flattest nesting
// first; a level costs nothing where its condition is not made. Every node knows the first rule
// that is sure to match once it is reached, and the first that might, which ends most of the
// search.
//
// A rule of very many blocks is kept under larger ones that hold more than it is for.
// If they do for one condition alone, the range itself is looked at in the end; else
// the rule, as one with a pattern of units, is held against the connection as a whole.
//
// For conditions of a few blocks each, a look-up costs O(log n) and space is O(n).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/match.h"
#include "policy/prefix.h"
#include "policy/rule.h"

namespace gaiter::policy {

inline constexpr uint32_t no_rule = UINT32_MAX;

// Immutable once made; refers to rules by their number alone.
class Matcher {
 public:
  // With a program, rules for other programs are left out; without, rules for programs
  // that differ in nothing else are tried one by one.
  explicit Matcher(const std::vector<Rule>& rules, std::optional<std::string_view> program = {});

  // The number of the first rule that matches, or no_rule. `rules` are those that
  // it was made of. Async-signal-safe.
  uint32_t find(const std::vector<Rule>& rules, const Point& point) const;

  // What a rule may take of the index at most: combinations of a block of each level.
  static constexpr size_t max_entries = 64;

 private:
  // The service's port is the local one of inbound connections, else the remote one.
  // Numbered by kind; order_ has their order in the tree.
  enum Level : uint8_t { user, group, unit, service_port, remote, local, other_port, levels };

  // The blocks of one level, by first value, outer before inner: those that lie in a
  // block follow it. Number 0 is any, which holds all.
  struct Blocks {
    std::vector<Block> all;
    std::vector<uint32_t> parents;
    std::vector<uint32_t> lasts;  // the last that lies in it
    void sort();
    double mean_depth() const;
    uint32_t number_of(const Block& block) const;
    uint32_t innermost(const Address& value) const;
  };
  // What a rule asks for beyond the blocks that it is found under.
  static constexpr uint32_t nothing = UINT32_MAX;
  static constexpr uint32_t everything = UINT32_MAX - 1;
  struct Candidate {
    uint32_t number;
    uint32_t asks;  // nothing, everything, or that of one of tests_
  };
  struct Test {
    AddressRange range;
    Level level;
  };
  struct Entry {
    std::array<uint32_t, levels> blocks;  // in the order of the tree
    Candidate rule;
    auto operator<=>(const Entry& other) const;
  };
  // Nodes of one depth, in the order of their blocks; or candidates, below all.
  struct Span {
    uint32_t begin = 0;
    uint32_t end = 0;
    uint8_t depth = levels;
  };
  struct Node {
    uint32_t last;         // block that lies in its own
    uint32_t parent;       // the next outer node of its span, or no_node
    uint32_t lowest;       // number of the rules below
    uint32_t lowest_here;  // the same, of its parents too
    uint32_t sure;         // lowest that matches whatever is sought below, of its parents too
    Span below;
  };
  struct Search;

  struct Piece;
  Piece cut(const Rule& rule, Candidate candidate);
  void append_entries(const Piece& piece, std::vector<Entry>& entries) const;
  Span build(const std::vector<Entry>& entries, size_t begin, size_t end, uint8_t depth);
  bool holds(const Candidate& candidate, const Search& search) const;
  uint32_t sure_below(const Span& below) const;
  void descend(const Span& span, Search& search) const;
  void climb(const Span& span, uint32_t block, Search& search) const;

  std::array<Blocks, levels> blocks_;
  std::array<Level, levels> order_;
  std::vector<std::string> units_;  // sorted
  std::vector<uint32_t> block_of_;  // each node's
  std::vector<Node> nodes_;
  std::vector<Candidate> candidates_;
  std::vector<Test> tests_;
  std::array<Span, 2> roots_;  // by direction
};

}  // namespace gaiter::policy
