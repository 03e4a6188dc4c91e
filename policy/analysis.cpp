#include "policy/analysis.h"

#include <algorithm>
#include <optional>

#include "policy/address.h"
#include "policy/glob.h"

namespace gaiter::policy {
namespace {

constexpr int dimensions = 4;
constexpr size_t max_pieces = 1000;

// Values of one condition. 0 stands for "not known", which only an empty condition
// takes; ports are addresses of 16 bits.
struct Interval {
  Address first;
  Address last;
};

struct Box {
  Interval side[dimensions];
};

using Sides = std::vector<Interval>[dimensions];

constexpr Address unknown{};
constexpr Address highest{UINT64_MAX, UINT64_MAX};

Address after(const Address& a) { return {a.high + (a.low == UINT64_MAX), a.low + 1}; }
Address before(const Address& a) { return {a.high - (a.low == 0), a.low - 1}; }

std::vector<Interval> intervals(const std::vector<AddressRange>& ranges) {
  if (ranges.empty()) return {{unknown, highest}};
  std::vector<Interval> list;
  for (const AddressRange& range : ranges)
    list.push_back({range.first == unknown ? after(unknown) : range.first, range.last});
  return list;
}

std::vector<Interval> intervals(const std::vector<PortRange>& ranges) {
  std::vector<AddressRange> wide;
  for (const PortRange& range : ranges) wide.push_back({{0, range.first}, {0, range.last}});
  return intervals(wide);
}

std::vector<Box> boxes_of(const Rule& rule) {
  const Sides sides = {intervals(rule.local), intervals(rule.remote), intervals(rule.local_ports),
                       intervals(rule.remote_ports)};
  std::vector<Box> boxes(1);
  for (int d = 0; d < dimensions; d++) {
    std::vector<Box> more;
    for (const Box& box : boxes) {
      for (const Interval& interval : sides[d]) {
        if (more.size() > max_pieces) return {};
        more.push_back(box);
        more.back().side[d] = interval;
      }
    }
    boxes = std::move(more);
  }
  return boxes;
}

bool overlap(const Box& a, const Box& b) {
  for (int d = 0; d < dimensions; d++)
    if (a.side[d].last < b.side[d].first || b.side[d].last < a.side[d].first) return false;
  return true;
}

// What is left of `from` without `taken`, which overlaps it.
void subtract(Box from, const Box& taken, std::vector<Box>& left) {
  for (int d = 0; d < dimensions; d++) {
    Interval& side = from.side[d];
    const Interval& cut = taken.side[d];
    if (side.first < cut.first) {
      left.push_back(from);
      left.back().side[d].last = before(cut.first);
      side.first = cut.first;
    }
    if (cut.last < side.last) {
      left.push_back(from);
      left.back().side[d].first = after(cut.last);
      side.last = cut.last;
    }
  }
}

bool is_literal(const std::string& pattern) {
  return pattern.find_first_of("*?") == std::string::npos;
}

// Whether every text that fits one of `later` fits one of `earlier`, for certain.
bool covers(const std::vector<std::string>& earlier, const std::vector<std::string>& later,
            bool (*matches)(std::string_view, std::string_view)) {
  if (earlier.empty()) return true;
  return !later.empty() && std::ranges::all_of(later, [&](const std::string& text) {
    return std::ranges::any_of(earlier, [&](const std::string& pattern) {
      return pattern == text || (is_literal(text) && matches(pattern, text));
    });
  });
}

// A name without "/" says nothing of the folders, which a path asks for.
bool program_covers(std::string_view pattern, std::string_view text) {
  const bool whole = pattern.find('/') != std::string_view::npos;
  return (!whole || text.find('/') != std::string_view::npos) && program_matches(pattern, text);
}

bool covers(const std::vector<uint32_t>& earlier, const std::vector<uint32_t>& later) {
  if (earlier.empty()) return true;
  return !later.empty() && std::ranges::all_of(later, [&](uint32_t id) {
    return std::ranges::find(earlier, id) != earlier.end();
  });
}

// Whether every process that `later` is for is one that `earlier` is for.
bool covers_processes(const Rule& earlier, const Rule& later) {
  return covers(earlier.programs, later.programs, program_covers) &&
         covers(earlier.units, later.units, glob_matches) && covers(earlier.users, later.users) &&
         covers(earlier.groups, later.groups);
}

std::optional<Unreachable> explain(const std::vector<Rule>& rules,
                                   const std::vector<std::vector<Box>>& boxes, size_t number) {
  std::vector<Box> left = boxes[number];
  if (left.empty()) return {};
  Unreachable found{&rules[number], {}};
  for (size_t earlier = 0; earlier < number; earlier++) {
    if (rules[earlier].direction != rules[number].direction) continue;
    bool takes = false;
    for (const Box& taken : boxes[earlier]) {
      const auto meets = [&](const Box& box) { return overlap(box, taken); };
      if (std::ranges::none_of(left, meets)) continue;
      if (!covers_processes(rules[earlier], rules[number])) break;
      takes = true;
      std::vector<Box> rest;
      for (const Box& box : left) {
        if (meets(box)) {
          subtract(box, taken, rest);
        } else {
          rest.push_back(box);
        }
      }
      if (rest.size() > max_pieces) return {};
      left = std::move(rest);
    }
    if (takes) found.shadowed_by.push_back(&rules[earlier]);
    if (left.empty()) return found;
  }
  return {};
}

}  // namespace

std::vector<Unreachable> find_unreachable(const std::vector<Rule>& rules) {
  std::vector<std::vector<Box>> boxes;
  for (const Rule& rule : rules) boxes.push_back(boxes_of(rule));
  std::vector<Unreachable> found;
  for (size_t number = 0; number < rules.size(); number++)
    if (auto rule = explain(rules, boxes, number)) found.push_back(std::move(*rule));
  return found;
}

}  // namespace gaiter::policy
