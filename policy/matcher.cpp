#include "policy/matcher.h"

#include <algorithm>
#include <tuple>

#include "policy/glob.h"
#include "policy/policy.h"

namespace gaiter::policy {
namespace {

constexpr uint32_t no_node = UINT32_MAX;
constexpr uint32_t any = 0;  // the number of the block that holds all

constexpr Block all_values{{0, 0}, {UINT64_MAX, UINT64_MAX}};

Block only(uint64_t number) { return {{0, number}, {0, number}}; }

bool is_for(const Rule& rule, std::string_view program) {
  return rule.programs.empty() ||
         std::ranges::any_of(rule.programs, [&](const std::string& pattern) {
           return program_matches(pattern, program);
         });
}

bool is_pattern(const std::string& text) { return text.find_first_of("*?") != text.npos; }

size_t place_of(std::string_view name, const std::vector<std::string>& sorted) {
  return static_cast<size_t>(std::ranges::lower_bound(sorted, name) - sorted.begin());
}

AddressRange as_addresses(const AddressRange& range) { return range; }
AddressRange as_addresses(const PortRange& range) { return {{0, range.first}, {0, range.last}}; }

// As blocks are kept: an outer one comes before those that lie in it.
bool comes_before(const Block& a, const Block& b) {
  return a.first != b.first ? a.first < b.first : b.last < a.last;
}

}  // namespace

auto Matcher::Entry::operator<=>(const Entry& other) const {
  return std::tie(blocks, rule.number) <=> std::tie(other.blocks, other.rule.number);
}

void Matcher::Blocks::sort() {
  all.push_back(all_values);
  std::ranges::sort(all, comes_before);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  all.shrink_to_fit();
  parents.assign(all.size(), any);
  lasts.resize(all.size());
  const auto count = static_cast<uint32_t>(all.size());
  for (uint32_t at = 1, open = any; at < count; open = at++) {
    for (; all[open].last < all[at].last; open = parents[open]) lasts[open] = at - 1;
    parents[at] = open;
  }
  for (uint32_t open = count - 1; open != any; open = parents[open]) lasts[open] = count - 1;
  lasts[any] = count - 1;
}

double Matcher::Blocks::mean_depth() const {
  std::vector<uint32_t> depths(all.size());
  double sum = 0;
  for (size_t at = 1; at < all.size(); at++) sum += depths[at] = depths[parents[at]] + 1;
  return sum / static_cast<double>(all.size());
}

uint32_t Matcher::Blocks::number_of(const Block& block) const {
  return static_cast<uint32_t>(std::ranges::lower_bound(all, block, comes_before) - all.begin());
}

uint32_t Matcher::Blocks::innermost(const Address& value) const {
  const auto next = std::ranges::upper_bound(all, value, {}, &Block::first);
  auto at = static_cast<uint32_t>(next - all.begin()) - 1;
  while (all[at].last < value) at = parents[at];
  return at;
}

// One look-up: what is sought on each level, and the best rule so far.
struct Matcher::Search {
  const std::vector<Rule>& rules;
  const Point& point;
  struct {
    bool all = false;  // blocks fit
    uint32_t block = any;
    Address value;
  } sought[levels];
  uint32_t best = no_rule;
};

// A rule in blocks, of which every combination becomes an entry.
struct Matcher::Piece {
  Direction direction;
  Candidate rule;
  std::array<std::vector<Block>, levels> blocks;
  Level rough = levels;         // whose blocks hold more than the rule is for, and
  std::vector<uint32_t> tests;  // what each of them asks for beyond it
};

Matcher::Piece Matcher::cut(const Rule& rule, Candidate candidate) {
  const bool inbound = rule.direction == Direction::inbound;
  Piece piece{rule.direction, candidate, {}, levels, {}};
  auto& blocks = piece.blocks;
  std::array<std::vector<AddressRange>, levels> ranges;
  const auto take = [&](Level level, const auto& condition) {
    for (const auto& range : condition) ranges[level].push_back(as_addresses(range));
    for (const AddressRange& range : ranges[level]) append_blocks(range, blocks[level]);
  };
  take(service_port, inbound ? rule.local_ports : rule.remote_ports);
  take(remote, rule.remote);
  take(local, rule.local);
  take(other_port, inbound ? rule.remote_ports : rule.local_ports);
  for (const uid_t id : rule.users) blocks[user].push_back(only(id));
  for (const gid_t id : rule.groups) blocks[group].push_back(only(id));
  if (std::ranges::any_of(rule.units, is_pattern)) {
    piece.rule.asks = everything;
  } else {
    for (const std::string& name : rule.units) blocks[unit].push_back(only(place_of(name, units_)));
  }
  size_t product = 1;
  for (const auto& of_level : blocks) product *= std::max<size_t>(of_level.size(), 1);
  // The service's port is given up last: it tells most rules apart.
  for (const Level level : {other_port, local, remote, service_port}) {
    if (product <= max_entries || blocks[level].empty()) continue;
    std::vector<Block> rough;
    std::vector<uint32_t> tests;
    for (const AddressRange& range : ranges[level]) {
      append_rough_blocks(range, rough);
      tests.resize(rough.size(), static_cast<uint32_t>(tests_.size()));
      tests_.push_back({range, level});
    }
    if (rough.size() == blocks[level].size()) continue;
    product = product / blocks[level].size() * rough.size();
    blocks[level] = std::move(rough);
    if (piece.rough != levels) piece.rule.asks = everything;
    piece.rough = level;
    piece.tests = std::move(tests);
  }
  for (const Level level : {unit, group, user, other_port, local, remote, service_port}) {
    if (product <= max_entries || blocks[level].empty()) continue;
    product /= blocks[level].size();
    blocks[level].clear();
    piece.rule.asks = everything;
  }
  for (auto& of_level : blocks)
    if (of_level.empty()) of_level.push_back(all_values);
  return piece;
}

void Matcher::append_entries(const Piece& piece, std::vector<Entry>& entries) const {
  const size_t before = entries.size();
  entries.push_back({{}, piece.rule});
  for (size_t depth = 0; depth < levels; depth++) {
    const Level level = order_[depth];
    const auto& blocks = piece.blocks[level];
    // What there is already, once for each block.
    const size_t made = entries.size() - before;
    entries.resize(before + made * blocks.size(), entries[before]);
    for (size_t at = 0; at < made * blocks.size(); at++) {
      Entry& entry = entries[before + at];
      entry = entries[before + at % made];
      entry.blocks[depth] = blocks_[level].number_of(blocks[at / made]);
      if (level == piece.rough && entry.rule.asks != everything)
        entry.rule.asks = piece.tests[at / made];
    }
  }
}

Matcher::Matcher(const std::vector<Rule>& rules, std::optional<std::string_view> program) {
  for (const Rule& rule : rules) units_.insert(units_.end(), rule.units.begin(), rule.units.end());
  std::ranges::sort(units_);
  units_.erase(std::unique(units_.begin(), units_.end()), units_.end());
  std::vector<Piece> pieces;
  for (uint32_t number = 0; number < rules.size(); number++) {
    const Rule& rule = rules[number];
    if (program && !is_for(rule, *program)) continue;
    pieces.push_back(cut(rule, {number, program || rule.programs.empty() ? nothing : everything}));
    for (size_t level = 0; level < levels; level++) {
      const auto& blocks = pieces.back().blocks[level];
      blocks_[level].all.insert(blocks_[level].all.end(), blocks.begin(), blocks.end());
    }
  }
  for (Blocks& blocks : blocks_) blocks.sort();
  order_ = {user, group, unit, service_port, remote, local, other_port};
  std::ranges::stable_sort(order_, {}, [&](Level level) { return blocks_[level].mean_depth(); });
  std::vector<Entry> entries[2];
  for (const Piece& piece : pieces)
    append_entries(piece, entries[static_cast<size_t>(piece.direction)]);
  for (size_t side : {0u, 1u}) {
    std::ranges::sort(entries[side], std::less());
    roots_[side] = build(entries[side], 0, entries[side].size(), 0);
  }
  block_of_.shrink_to_fit();
  nodes_.shrink_to_fit();
  candidates_.shrink_to_fit();
  tests_.shrink_to_fit();
}

// Makes the nodes of one depth for sorted entries, and of those below. What can only
// be found behind a rule that is sure is left out.
Matcher::Span Matcher::build(const std::vector<Entry>& entries, size_t begin, size_t end,
                             uint8_t depth) {
  if (begin == end) return {};
  while (depth < levels && entries[end - 1].blocks[depth] == any) depth++;
  if (depth == levels) {
    Span span{static_cast<uint32_t>(candidates_.size()), 0, levels};
    do {
      candidates_.push_back(entries[begin].rule);
    } while (entries[begin].rule.asks != nothing && ++begin < end);
    span.end = static_cast<uint32_t>(candidates_.size());
    return span;
  }
  std::vector<Node> made;
  std::vector<uint32_t> blocks;
  uint32_t parent = no_node;
  for (size_t next = begin; begin < end; begin = next) {
    const uint32_t block = entries[begin].blocks[depth];
    uint32_t lowest = no_rule;
    for (; next < end && entries[next].blocks[depth] == block; next++)
      lowest = std::min(lowest, entries[next].rule.number);
    while (parent != no_node && made[parent].last < block) parent = made[parent].parent;
    Node node{blocks_[order_[depth]].lasts[block], parent, lowest, lowest, no_rule, {}};
    if (parent != no_node) {
      if (lowest > made[parent].sure) continue;
      node.lowest_here = std::min(lowest, made[parent].lowest_here);
      node.sure = made[parent].sure;
    }
    node.below = build(entries, begin, next, static_cast<uint8_t>(depth + 1));
    node.sure = std::min(node.sure, sure_below(node.below));
    parent = static_cast<uint32_t>(made.size());
    made.push_back(node);
    blocks.push_back(block);
  }
  const Span span{static_cast<uint32_t>(nodes_.size()),
                  static_cast<uint32_t>(nodes_.size() + made.size()), depth};
  nodes_.insert(nodes_.end(), made.begin(), made.end());
  block_of_.insert(block_of_.end(), blocks.begin(), blocks.end());
  return span;
}

// The lowest rule that matches whatever is sought from there on.
uint32_t Matcher::sure_below(const Span& below) const {
  if (below.depth < levels)
    return block_of_[below.begin] == any ? nodes_[below.begin].sure : no_rule;
  const Candidate& last = candidates_[below.end - 1];
  return last.asks == nothing ? last.number : no_rule;
}

// Visits those nodes of a span that hold a block, from the innermost on.
void Matcher::climb(const Span& span, uint32_t block, Search& search) const {
  const auto begin = block_of_.begin() + span.begin;
  const auto next = std::upper_bound(begin, block_of_.begin() + span.end, block);
  if (next == begin) return;
  const Node* const nodes = nodes_.data() + span.begin;
  auto at = static_cast<uint32_t>(next - begin) - 1;
  while (nodes[at].last < block)
    if ((at = nodes[at].parent) == no_node) return;
  search.best = std::min(search.best, nodes[at].sure);
  for (; at != no_node && nodes[at].lowest_here < search.best; at = nodes[at].parent)
    if (nodes[at].lowest < search.best) descend(nodes[at].below, search);
}

bool Matcher::holds(const Candidate& candidate, const Search& search) const {
  if (candidate.asks == nothing) return true;
  if (candidate.asks == everything) return !mismatch(search.rules[candidate.number], search.point);
  const auto& [range, level] = tests_[candidate.asks];
  const auto& sought = search.sought[level];
  return sought.all || (range.first <= sought.value && sought.value <= range.last);
}

void Matcher::descend(const Span& span, Search& search) const {
  if (span.depth == levels) {
    for (uint32_t at = span.begin; at < span.end; at++) {
      if (candidates_[at].number >= search.best) return;
      if (holds(candidates_[at], search)) search.best = candidates_[at].number;
    }
    return;
  }
  const Level level = order_[span.depth];
  const auto& sought = search.sought[level];
  if (sought.all) {
    for (uint32_t at = span.begin; at < span.end; at++)
      if (nodes_[at].lowest < search.best) descend(nodes_[at].below, search);
    return;
  }
  climb(span, sought.block, search);
  if (level != group || search.point.process == nullptr) return;
  for (const gid_t id : search.point.process->groups)
    climb(span, blocks_[group].innermost({0, id}), search);
}

uint32_t Matcher::find(const std::vector<Rule>& rules, const Point& point) const {
  Search search{rules, point, {}};
  const auto seek = [&](Level level, Point::Known is, const Address& value) {
    search.sought[level] = {is == Point::Known::any, any, value};
    if (is == Point::Known::exact) search.sought[level].block = blocks_[level].innermost(value);
  };
  if (const Process* const process = point.process) {
    seek(user, Point::Known::exact, {0, process->uid});
    seek(group, Point::Known::exact, {0, process->gid});
    const uint64_t place = place_of(process->unit, units_);
    const bool is_named = place < units_.size() && units_[place] == process->unit;
    seek(unit, is_named ? Point::Known::exact : Point::Known::unknown, {0, place});
  }
  const bool inbound = point.direction == Direction::inbound;
  const Point::End& service = inbound ? point.local : point.remote;
  const Point::End& other = inbound ? point.remote : point.local;
  seek(service_port, service.port_is, {0, service.port});
  seek(remote, point.remote.address_is, point.remote.address);
  seek(local, point.local.address_is, point.local.address);
  seek(other_port, other.port_is, {0, other.port});
  descend(roots_[static_cast<size_t>(point.direction)], search);
  return search.best;
}

}  // namespace gaiter::policy
