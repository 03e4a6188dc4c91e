// Which rule is the first for a connection, found without looking at every rule.
//
// A condition is a set of ranges of numbers: ports, addresses, users, groups, and units in
// the order of their names. The ends of all ranges cut each kind of condition (a level) into
// places; a connection is at one place of each level, and a rule is a box of places, or
// several if its conditions are lists.
//
// The boxes are in a binary tree. A node has the box around all that is below it, and the
// lowest number of their rules. It was cut into halves by where boxes begin or end, so that
// its two halves lie in each other's way as little as can be; or, where so many boxes lie
// over each other that the earlier half is almost sure to have a match, by number. A look-up
// goes down wherever the connection lies in the node's box and a lower rule than the one
// found so far may be: O(log n) nodes where rules can be told apart, each of one cache line,
// whether their ranges overlap or not. Space is O(n).
//
// A rule with a pattern of units is found by what the pattern begins with; it, and a rule of
// very many boxes, which has one around them all, is held against the connection in the end.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/match.h"
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

  // How many boxes a rule may have: combinations of a range of each level.
  static constexpr size_t max_boxes = 64;

 private:
  enum Level : uint8_t { local_port, remote_port, local, remote, user, group, unit, levels };

  // Where the ranges of a level begin, and where what lies behind them begins.
  template <class Value>
  class Cuts {
   public:
    void add(Value value) { all_.push_back(std::move(value)); }
    void sort();
    bool empty() const { return all_.empty(); }
    // How many cuts are at or below the value.
    int32_t place_of(const auto& value) const;

   private:
    static constexpr size_t step = 16;
    std::vector<Value> all_;
    std::vector<Value> steps_;  // every so many: few enough to stay in the cache
  };

  // Signed, as processors compare them best.
  struct Places {
    int32_t first;
    int32_t last;
  };
  // Fits every value, and none. A value is at 0 if it lies below all ranges, or is not known.
  static constexpr Places all_places{0, INT32_MAX};
  static constexpr Places nowhere{0, 0};

  // From where to where on each level. The last of eight is not a level, see Node and Search.
  struct Box {
    std::array<int32_t, 8> first;
    std::array<int32_t, 8> last;
    void set(size_t level, Places places) {
      first[level] = places.first;
      last[level] = places.last;
    }
  };
  // One box of a rule (an item), or that around all nodes below.
  struct alignas(64) Node : Box {
    // The lowest number of the rules in it.
    int32_t& lowest() { return first[levels]; }
    int32_t lowest() const { return first[levels]; }
    // Of an item: 1 if the rule may still not match. Of a node whose items follow it: their
    // count, negative. Of any other: where its second half is; the first follows it.
    int32_t& more() { return last[levels]; }
    int32_t more() const { return last[levels]; }
  };
  static constexpr size_t leaf_size = 4;
  using Tree = std::vector<Node>;

  // What is sought. Its box meets those nodes that may have something better.
  struct Search : Box {
    Search();
    int32_t best() const { return last[levels] + 1; }
    void set_best(int32_t number) { last[levels] = number - 1; }
  };

  enum class By : uint8_t { first, last, number };
  template <class Take>
  static void for_each_range(const Rule& rule, Take take);
  void append_boxes(const Rule& rule, const Node& box, std::vector<Node>& items) const;
  static Node around(std::span<const Node> nodes);
  static double share(const Node& part, const Node& whole);
  static double cost(std::span<const Node> items, const Node& whole, By by);
  static void halve(std::span<Node> items, const Node& whole);
  static void build(std::span<Node> items, Tree& tree);
  static bool meet(const Box& one, const Box& other);
  Search search_for(const Point& point) const;
  bool is_in_groups(const Node& item, const Process& process) const;

  std::array<Cuts<Address>, unit> cuts_;  // of the levels below `unit`
  Cuts<std::string> units_;
  std::array<Tree, 2> trees_;  // by direction
};

}  // namespace gaiter::policy
