// Which rule is the first for a connection, found without looking at every rule.
//
// The conditions on ports and addresses are ranges, cut into prefix blocks. The
// blocks of one kind of condition lie apart or in each other, so a binary search
// finds the innermost that holds a value, and its chain of parents all others.
// Four such levels hang below each other: the port that the service has (local
// for inbound, remote for outbound), the remote address, the local address, the
// other port. The last has the numbers of the rules, in order. A rule of very many
// blocks is kept under larger ones that hold more than it is for, in the end under
// "any"; such a rule, and one with a condition on the process, is held against the
// connection as a whole when it is found.
//
// For conditions of a few blocks each, a look-up costs O(log n) and space is O(n).
// Rules that differ in nothing but program, user, group or unit are tried one by
// one, but for those of other programs, which can be left out.
#pragma once

#include <cstdint>
#include <optional>
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
  // With a program, rules for other programs are left out.
  explicit Matcher(const std::vector<Rule>& rules, std::optional<std::string_view> program = {});

  // The number of the first rule that matches, or no_rule. `rules` are those that
  // it was made of. Async-signal-safe.
  uint32_t find(const std::vector<Rule>& rules, const Point& point) const;

  // Levels of the index, and what a rule may take of it at most.
  static constexpr int levels = 4;
  static constexpr size_t max_entries = 64;

 private:
  // A value of one level: a block, or any.
  struct Key {
    bool any = true;
    Block block;
    auto operator<=>(const Key&) const = default;
  };
  struct Candidate {
    uint32_t number;
    bool certain;  // that it matches where the index has it
  };
  struct Entry {
    Key keys[levels];
    Candidate rule;
  };
  struct Span {
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  // Of a level, in the order of their first value, outer before inner.
  struct Node {
    Key key;
    uint32_t parent;  // the next outer node; none = no_node
    uint32_t lowest;  // number of the rules below
    Span below;       // nodes of the next level, or candidates
  };
  struct Search;

  static std::vector<Entry> entries_of(const Rule& rule, uint32_t number);
  Span build(std::vector<Entry>& entries, size_t begin, size_t end, int level);
  void descend(Span nodes, int level, Search& search) const;
  void visit(const Node& node, int level, Search& search) const;

  std::vector<Node> nodes_;
  std::vector<Candidate> candidates_;
  Span roots_[2];  // by direction
};

}  // namespace gaiter::policy
