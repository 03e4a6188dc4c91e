#include "policy/matcher.h"

#include <algorithm>

#include "policy/glob.h"
#include "policy/policy.h"

namespace gaiter::policy {
namespace {

constexpr uint32_t no_node = UINT32_MAX;

// The blocks of one condition.
struct Cover {
  std::vector<Block> exact;
  std::vector<Block> rough;

  template <class Range>
  explicit Cover(const std::vector<Range>& ranges) {
    for (const Range& range : ranges) {
      append_blocks(range, exact);
      append_rough_blocks(range, rough);
    }
  }
};

bool asks_for_process(const Rule& rule) {
  return !rule.programs.empty() || !rule.users.empty() || !rule.groups.empty() ||
         !rule.units.empty();
}

bool is_for(const Rule& rule, std::string_view program) {
  return rule.programs.empty() ||
         std::ranges::any_of(rule.programs, [&](const std::string& pattern) {
           return program_matches(pattern, program);
         });
}

}  // namespace

// One look-up: what is sought on each level, and the best rule so far.
struct Matcher::Search {
  const std::vector<Rule>& rules;
  const Point& point;
  struct {
    Point::Known is;
    Address value;
  } sought[levels];
  uint32_t best = no_rule;
};

// Every combination of a block of each level.
std::vector<Matcher::Entry> Matcher::entries_of(const Rule& rule, uint32_t number) {
  const bool inbound = rule.direction == Direction::inbound;
  const Cover covers[levels] = {Cover(inbound ? rule.local_ports : rule.remote_ports),
                                Cover(rule.remote), Cover(rule.local),
                                Cover(inbound ? rule.remote_ports : rule.local_ports)};
  std::vector<Block> blocks[levels];
  size_t product = 1;
  for (int level = 0; level < levels; level++) {
    blocks[level] = covers[level].exact;
    product *= std::max<size_t>(blocks[level].size(), 1);
  }
  bool certain = !asks_for_process(rule);
  const auto replace = [&](int level, const std::vector<Block>& by) {
    if (product <= max_entries || blocks[level].size() == by.size()) return;
    product = product / blocks[level].size() * std::max<size_t>(by.size(), 1);
    blocks[level] = by;
    certain = false;
  };
  // The service's port is given up last: it tells most rules apart.
  for (int level : {3, 2, 1, 0}) replace(level, covers[level].rough);
  for (int level : {3, 2, 1, 0}) replace(level, {});
  std::vector<Entry> entries(1, Entry{{}, {number, certain}});
  for (int level = 0; level < levels; level++) {
    if (blocks[level].empty()) continue;
    std::vector<Entry> more;
    for (const Entry& entry : entries) {
      for (const Block& block : blocks[level]) {
        more.push_back(entry);
        more.back().keys[level] = {false, block};
      }
    }
    entries = std::move(more);
  }
  return entries;
}

Matcher::Matcher(const std::vector<Rule>& rules, std::optional<std::string_view> program) {
  std::vector<Entry> entries[2];
  for (uint32_t number = 0; number < rules.size(); number++) {
    if (program && !is_for(rules[number], *program)) continue;
    auto& side = entries[static_cast<size_t>(rules[number].direction)];
    for (const Entry& entry : entries_of(rules[number], number)) side.push_back(entry);
  }
  for (size_t side : {0u, 1u}) {
    // An inner block comes behind the outer that begins with it; any comes first.
    std::ranges::sort(entries[side], [](const Entry& a, const Entry& b) {
      for (int level = 0; level < levels; level++) {
        const Key &x = a.keys[level], &y = b.keys[level];
        if (x.any != y.any) return x.any;
        if (x.block.first != y.block.first) return x.block.first < y.block.first;
        if (x.block.last != y.block.last) return y.block.last < x.block.last;
      }
      return a.rule.number < b.rule.number;
    });
    roots_[side] = build(entries[side], 0, entries[side].size(), 0);
  }
  nodes_.shrink_to_fit();
  candidates_.shrink_to_fit();
}

// Makes the nodes of one level for sorted entries, and of those below.
Matcher::Span Matcher::build(std::vector<Entry>& entries, size_t begin, size_t end, int level) {
  std::vector<Node> made;
  std::vector<uint32_t> open;  // nodes of `made` that hold the one before
  for (size_t at = begin; at < end;) {
    const Key key = entries[at].keys[level];
    size_t next = at;
    uint32_t lowest = no_rule;
    for (; next < end && entries[next].keys[level] == key; next++)
      lowest = std::min(lowest, entries[next].rule.number);
    Span below;
    if (level + 1 < levels) {
      below = build(entries, at, next, level + 1);
    } else {
      below.begin = static_cast<uint32_t>(candidates_.size());
      for (; at < next; at++) candidates_.push_back(entries[at].rule);
      below.end = static_cast<uint32_t>(candidates_.size());
    }
    while (!open.empty() && (key.any || made[open.back()].key.block.last < key.block.last))
      open.pop_back();
    made.push_back({key, open.empty() ? no_node : open.back(), lowest, below});
    if (!key.any) open.push_back(static_cast<uint32_t>(made.size()) - 1);
    at = next;
  }
  const Span span{static_cast<uint32_t>(nodes_.size()),
                  static_cast<uint32_t>(nodes_.size() + made.size())};
  nodes_.insert(nodes_.end(), made.begin(), made.end());
  return span;
}

void Matcher::visit(const Node& node, int level, Search& search) const {
  if (node.lowest >= search.best) return;
  if (level + 1 < levels) return descend(node.below, level + 1, search);
  for (uint32_t at = node.below.begin; at < node.below.end; at++) {
    const auto [number, certain] = candidates_[at];
    if (number >= search.best) return;
    if (certain || !mismatch(search.rules[number], search.point)) search.best = number;
  }
}

void Matcher::descend(Span span, int level, Search& search) const {
  const auto& sought = search.sought[level];
  if (span.begin == span.end) return;
  if (sought.is == Point::Known::any) {
    for (uint32_t at = span.begin; at < span.end; at++) visit(nodes_[at], level, search);
    return;
  }
  const Node* const nodes = nodes_.data() + span.begin;
  if (nodes->key.any) visit(*nodes, level, search);
  if (sought.is == Point::Known::unknown) return;
  const Node* const end = nodes_.data() + span.end;
  const Node* node = std::upper_bound(
      nodes + nodes->key.any, end, sought.value,
      [](const Address& value, const Node& other) { return value < other.key.block.first; });
  if (node == nodes + nodes->key.any) return;
  --node;
  for (;;) {
    if (sought.value <= node->key.block.last) visit(*node, level, search);
    if (node->parent == no_node) return;
    node = nodes + node->parent;
  }
}

uint32_t Matcher::find(const std::vector<Rule>& rules, const Point& point) const {
  const bool inbound = point.direction == Direction::inbound;
  const auto port_of = [](const Point::End& end) { return Address{0, end.port}; };
  const Point::End& service = inbound ? point.local : point.remote;
  const Point::End& other = inbound ? point.remote : point.local;
  Search search{rules,
                point,
                {{service.port_is, port_of(service)},
                 {point.remote.address_is, point.remote.address},
                 {point.local.address_is, point.local.address},
                 {other.port_is, port_of(other)}}};
  descend(roots_[static_cast<size_t>(point.direction)], 0, search);
  return search.best;
}

}  // namespace gaiter::policy
