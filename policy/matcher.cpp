#include "policy/matcher.h"

#include <algorithm>
#include <cstring>

#include "policy/glob.h"
#include "policy/policy.h"

namespace gaiter::policy {
namespace {

bool is_for(const Rule& rule, std::string_view program) {
  return rule.programs.empty() ||
         std::ranges::any_of(rule.programs, [&](const std::string& pattern) {
           return program_matches(pattern, program);
         });
}

// The values from `first` on, up to what lies behind them; without that, all.
template <class Value>
struct Range {
  Value first;
  std::optional<Value> behind;
  bool exact = true;  // what the condition says, and no more
};

Range<Address> range_of(Address first, Address last) {
  if (last == Address{UINT64_MAX, UINT64_MAX}) return {first, {}};
  return {first, Address{last.high + (last.low == UINT64_MAX), last.low + 1}};
}
Range<Address> range_of(const AddressRange& range) { return range_of(range.first, range.last); }
Range<Address> range_of(const PortRange& range) {
  return range_of(Address{0, range.first}, Address{0, range.last});
}
Range<Address> range_of(uint32_t id) { return range_of(Address{0, id}, Address{0, id}); }

// A pattern may match what begins as it does.
Range<std::string> range_of(const std::string& pattern) {
  std::string start = pattern.substr(0, pattern.find_first_of("*?"));
  if (start.size() == pattern.size()) return {pattern, pattern + '\0'};
  std::string behind = start;
  while (!behind.empty() && behind.back() == '\xff') behind.pop_back();
  if (behind.empty()) return {std::move(start), {}, false};
  behind.back() = static_cast<char>(behind.back() + 1);
  return {std::move(start), std::move(behind), false};
}

}  // namespace

template <class Value>
void Matcher::Cuts<Value>::sort() {
  std::ranges::sort(all_);
  all_.erase(std::unique(all_.begin(), all_.end()), all_.end());
  all_.shrink_to_fit();
  for (size_t at = 0; at < all_.size(); at += step) steps_.push_back(all_[at]);
}

template <class Value>
int32_t Matcher::Cuts<Value>::place_of(const auto& value) const {
  const auto coarse = std::ranges::upper_bound(steps_, value) - steps_.begin();
  if (coarse == 0) return 0;
  const auto begin = all_.begin() + (coarse - 1) * static_cast<ptrdiff_t>(step);
  const auto room = std::min<ptrdiff_t>(all_.end() - begin, step);
  return static_cast<int32_t>(std::upper_bound(begin, begin + room, value) - all_.begin());
}

// Calls take(level, range) for each range of the rule's conditions.
template <class Take>
void Matcher::for_each_range(const Rule& rule, Take take) {
  for (const PortRange& range : rule.local_ports) take(local_port, range_of(range));
  for (const PortRange& range : rule.remote_ports) take(remote_port, range_of(range));
  for (const AddressRange& range : rule.local) take(local, range_of(range));
  for (const AddressRange& range : rule.remote) take(remote, range_of(range));
  for (const uid_t id : rule.users) take(user, range_of(id));
  for (const gid_t id : rule.groups) take(group, range_of(id));
  for (const std::string& pattern : rule.units) take(unit, range_of(pattern));
}

// `box` has the rule's number, and what it asks for beyond its places.
void Matcher::append_boxes(const Rule& rule, const Node& box, std::vector<Node>& items) const {
  struct Side {
    Places places;
    bool exact;
  };
  std::array<std::vector<Side>, levels> sides;
  const auto take = [&](Level level, const auto& cuts, const auto& range) {
    // What lies behind is a cut itself.
    const int32_t last = range.behind ? cuts.place_of(*range.behind) - 1 : all_places.last;
    sides[level].push_back({{cuts.place_of(range.first), last}, range.exact});
  };
  for_each_range(rule, [&]<class Value>(Level level, const Range<Value>& range) {
    if constexpr (std::is_same_v<Value, Address>) {
      take(level, cuts_[level], range);
    } else {
      take(level, units_, range);
    }
  });
  size_t product = 1;
  for (auto& of_level : sides) {
    if (of_level.empty()) of_level.push_back({all_places, true});
    product *= of_level.size();
  }
  while (product > max_boxes) {
    auto& most = *std::ranges::max_element(sides, {}, &std::vector<Side>::size);
    product /= most.size();
    Places places = most.front().places;
    for (const Side& side : most) {
      places.first = std::min(places.first, side.places.first);
      places.last = std::max(places.last, side.places.last);
    }
    most.assign(1, {places, false});
  }
  for (size_t combination = 0; combination < product; combination++) {
    Node item = box;
    for (size_t level = 0, rest = combination; level < levels; level++) {
      const Side& side = sides[level][rest % sides[level].size()];
      rest /= sides[level].size();
      item.set(level, side.places);
      item.more() |= !side.exact;
    }
    items.push_back(item);
  }
}

Matcher::Matcher(const std::vector<Rule>& rules, std::optional<std::string_view> program) {
  std::vector<uint32_t> used;
  for (uint32_t number = 0; number < rules.size(); number++) {
    if (program && !is_for(rules[number], *program)) continue;
    used.push_back(number);
    for_each_range(rules[number], [&]<class Value>(Level level, Range<Value> range) {
      auto& cuts = [&]() -> auto& {
        if constexpr (std::is_same_v<Value, Address>)
          return cuts_[level];
        else
          return units_;
      }
      ();
      cuts.add(std::move(range.first));
      if (range.behind) cuts.add(*std::move(range.behind));
    });
  }
  for (auto& cuts : cuts_) cuts.sort();
  units_.sort();
  std::vector<Node> items[2];
  for (const uint32_t number : used) {
    const Rule& rule = rules[number];
    Node box{};
    box.lowest() = static_cast<int32_t>(number);
    box.more() = !program && !rule.programs.empty();
    append_boxes(rule, box, items[static_cast<size_t>(rule.direction)]);
  }
  for (size_t side : {0u, 1u}) {
    if (!items[side].empty()) build(items[side], trees_[side]);
    trees_[side].shrink_to_fit();
  }
}

Matcher::Node Matcher::around(std::span<const Node> nodes) {
  Node whole = nodes.front();
  for (const Node& node : nodes) {
    for (size_t level = 0; level < levels; level++) {
      whole.first[level] = std::min(whole.first[level], node.first[level]);
      whole.last[level] = std::max(whole.last[level], node.last[level]);
    }
    whole.lowest() = std::min(whole.lowest(), node.lowest());
  }
  return whole;
}

// The share of the places of `whole` that lie in `part`.
double Matcher::share(const Node& part, const Node& whole) {
  const auto size = [](const Node& node, size_t level) {
    return static_cast<double>(node.last[level]) - static_cast<double>(node.first[level]) + 1;
  };
  double share = 1;
  for (size_t level = 0; level < levels; level++) share *= size(part, level) / size(whole, level);
  return share;
}

// How many of the two halves are looked at by whoever looks at the whole.
double Matcher::cost(std::span<const Node> items, const Node& whole, By by) {
  const auto first = items.first(items.size() / 2), second = items.subspan(first.size());
  const double shares = share(around(first), whole), others = share(around(second), whole);
  if (by != By::number) return shares + others;
  double matches = 0;
  for (const Node& item : first) matches += share(item, whole);
  // e to the minus matches, as near as it takes: the library does without libm.
  return shares + others / (1 + matches * (1 + matches * (0.5 + matches / 6)));
}

// Sorts items so that the halves are apart.
void Matcher::halve(std::span<Node> items, const Node& whole) {
  const auto sort_by = [&](By by, size_t level) {
    const auto middle = items.begin() + static_cast<ptrdiff_t>(items.size() / 2);
    std::ranges::nth_element(items, middle, {}, [=](const Node& item) {
      return by == By::last ? item.last[level] : item.first[level];
    });
  };
  By best = By::number;
  size_t best_level = levels;  // where a node has its number
  sort_by(best, best_level);
  double least = cost(items, whole, best);
  for (size_t level = 0; level < levels; level++) {
    for (const By by : {By::first, By::last}) {
      if (std::ranges::all_of(items, [&](const Node& item) {
            return by == By::first ? item.first[level] == items[0].first[level]
                                   : item.last[level] == items[0].last[level];
          }))
        continue;
      sort_by(by, level);
      if (const double this_cost = cost(items, whole, by); this_cost < least) {
        least = this_cost;
        best = by;
        best_level = level;
      }
    }
  }
  sort_by(best, best_level);
}

void Matcher::build(std::span<Node> items, Tree& tree) {
  const size_t at = tree.size();
  tree.push_back(around(items));
  if (items.size() <= leaf_size) {
    tree[at].more() = -static_cast<int32_t>(items.size());
    std::ranges::sort(items, {}, [](const Node& item) { return item.lowest(); });
    tree.insert(tree.end(), items.begin(), items.end());
    return;
  }
  halve(items, tree[at]);
  std::span<Node> first = items.first(items.size() / 2), second = items.subspan(first.size());
  // The half that may have the better rule is looked at first.
  if (around(second).lowest() < around(first).lowest()) std::swap(first, second);
  build(first, tree);
  tree[at].more() = static_cast<int32_t>(tree.size());
  build(second, tree);
}

bool Matcher::meet(const Box& one, const Box& other) {
  using Four = int32_t __attribute__((vector_size(16)));
  const auto four = [](const std::array<int32_t, 8>& all, size_t from) {
    Four some;
    std::memcpy(&some, &all[from], sizeof some);
    return some;
  };
  Four apart{};
  for (const size_t from : {0u, 4u}) {
    apart |= four(one.first, from) > four(other.last, from);
    apart |= four(other.first, from) > four(one.last, from);
  }
  std::array<uint64_t, 2> any;
  std::memcpy(&any, &apart, sizeof any);
  return (any[0] | any[1]) == 0;
}

Matcher::Search::Search() : Box{} {
  first[levels] = INT32_MIN;  // whatever Node::more() is
  set_best(INT32_MAX);
}

Matcher::Search Matcher::search_for(const Point& point) const {
  Search search;
  const auto place = [&](Level level, const Address& value) {
    const int32_t at = cuts_[level].place_of(value);
    return Places{at, at};
  };
  const auto seek = [&](Level level, Point::Known is, const Address& value) {
    search.set(level, is == Point::Known::any       ? all_places
                      : is == Point::Known::unknown ? nowhere
                                                    : place(level, value));
  };
  seek(local_port, point.local.port_is, {0, point.local.port});
  seek(remote_port, point.remote.port_is, {0, point.remote.port});
  seek(local, point.local.address_is, point.local.address);
  seek(remote, point.remote.address_is, point.remote.address);
  const Process* const process = point.process;
  if (process == nullptr) return search;  // which is nowhere on the other levels
  search.set(user, place(user, {0, process->uid}));
  const int32_t name = units_.place_of(process->unit);
  search.set(unit, {name, name});
  // From its first group to its last one.
  Places groups = place(group, {0, process->gid});
  if (!cuts_[group].empty()) {
    for (const gid_t id : process->groups) {
      const Places other = place(group, {0, id});
      groups = {std::min(groups.first, other.first), std::max(groups.last, other.last)};
    }
  }
  search.set(group, groups);
  return search;
}

bool Matcher::is_in_groups(const Node& item, const Process& process) const {
  const auto is_in = [&](gid_t id) {
    const int32_t place = cuts_[group].place_of(Address{0, id});
    return item.first[group] <= place && place <= item.last[group];
  };
  return is_in(process.gid) || std::ranges::any_of(process.groups, is_in);
}

uint32_t Matcher::find(const std::vector<Rule>& rules, const Point& point) const {
  const Tree& tree = trees_[static_cast<size_t>(point.direction)];
  if (tree.empty()) return no_rule;
  Search search = search_for(point);
  const auto is_for = [&](const Node& item) {
    if (item.more() != 0) return !mismatch(rules[static_cast<size_t>(item.lowest())], point);
    return item.first[group] == 0 || is_in_groups(item, *point.process);
  };
  // Halves that are still to be looked at: no more than a number has bits.
  std::array<int32_t, 32> second;
  size_t count = 0;
  for (const Node* node = tree.data();;) {
    if (meet(*node, search)) {
      if (node->more() > 0) {
        second[count++] = node->more();
        node++;
        continue;
      }
      for (const Node& item : std::span(node + 1, static_cast<size_t>(-node->more())))
        if (meet(item, search) && is_for(item)) search.set_best(item.lowest());
    }
    if (count == 0) break;
    node = tree.data() + second[--count];
  }
  return search.best() == INT32_MAX ? no_rule : static_cast<uint32_t>(search.best());
}

}  // namespace gaiter::policy
