#include "policy/match.h"

#include <netinet/in.h>

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace gaiter::policy {
namespace {

constexpr PortRange any_port[] = {{0, UINT16_MAX}};

std::span<const PortRange> or_any(const std::vector<PortRange>& ranges) {
  if (ranges.empty()) return any_port;
  return ranges;
}

// The port of an internet address; nothing for other families.
std::optional<uint16_t> internet_port(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  if (address->sa_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  return {};
}

}  // namespace

// Sweeps over the ports with the set of rules that are open there.
void PortMap::build() {
  struct Edge {
    uint32_t port;  // one beyond 65535 for an end at the last port
    bool opens;
    uint32_t rule;
  };
  std::vector<Edge> edges;
  for (const Added& added : added_) {
    edges.push_back({added.range.first, true, added.rule});
    edges.push_back({added.range.last + uint32_t{1}, false, added.rule});
    lowest_ = std::min(lowest_, added.rule);
  }
  added_ = {};
  std::sort(edges.begin(), edges.end(),
            [](const Edge& a, const Edge& b) { return a.port < b.port; });

  std::multiset<uint32_t> open;  // a rule may have overlapping ranges
  for (size_t i = 0; i < edges.size();) {
    const uint32_t port = edges[i].port;
    for (; i < edges.size() && edges[i].port == port; i++) {
      if (edges[i].opens) {
        open.insert(edges[i].rule);
      } else {
        open.erase(open.find(edges[i].rule));
      }
    }
    const uint32_t rule = open.empty() ? no_rule : *open.begin();
    if (port > UINT16_MAX || (!steps_.empty() && steps_.back().rule == rule)) continue;
    steps_.push_back({static_cast<uint16_t>(port), rule});
  }
  steps_.shrink_to_fit();
}

uint32_t PortMap::find(uint16_t port) const {
  const auto next = std::upper_bound(steps_.begin(), steps_.end(), port,
                                     [](uint16_t p, const Step& step) { return p < step.first; });
  return next == steps_.begin() ? no_rule : std::prev(next)->rule;
}

Matcher::Matcher(const std::vector<Rule>& rules) : inbound_(1), outbound_(1) {
  for (uint32_t number = 0; number < rules.size(); number++) {
    const Rule& rule = rules[number];
    Trie& trie = rule.direction == Direction::inbound ? inbound_ : outbound_;
    for (PortRange local : or_any(rule.local_ports))
      for (PortRange remote : or_any(rule.remote_ports)) insert(trie, local, remote, number);
  }
  for (Trie* trie : {&inbound_, &outbound_})
    for (Node& node : *trie) node.remote.build();
}

// Goes down to the nodes whose ports all lie in `local`.
void Matcher::insert(Trie& trie, PortRange local, PortRange remote, uint32_t rule) {
  struct Visit {
    uint32_t node;
    uint32_t first;
    uint32_t size;
  };
  std::vector<Visit> visits = {{0, 0, UINT16_MAX + 1}};
  while (!visits.empty()) {
    const Visit visit = visits.back();
    visits.pop_back();
    const uint32_t last = visit.first + visit.size - 1;
    if (last < local.first || visit.first > local.last) continue;
    if (local.first <= visit.first && last <= local.last) {
      trie[visit.node].remote.add(remote, rule);
      continue;
    }
    const uint32_t half = visit.size / 2;
    for (uint32_t side : {0u, 1u}) {
      const uint32_t first = visit.first + side * half;
      if (first + half - 1 < local.first || first > local.last) continue;
      if (trie[visit.node].child[side] == 0) {
        trie[visit.node].child[side] = static_cast<uint32_t>(trie.size());
        trie.emplace_back();
      }
      visits.push_back({trie[visit.node].child[side], first, half});
    }
  }
}

uint32_t Matcher::find(Direction direction, uint16_t local, std::optional<uint16_t> remote) const {
  const Trie& trie = direction == Direction::inbound ? inbound_ : outbound_;
  uint32_t best = no_rule;
  uint32_t node = 0;
  for (int bit = 15;; bit--) {
    const PortMap& map = trie[node].remote;
    if (map.lowest() < best) best = std::min(best, remote ? map.find(*remote) : map.lowest());
    if (bit < 0) return best;
    node = trie[node].child[(local >> bit) & 1];
    if (node == 0) return best;
  }
}

const Rule* Policy::match(Direction direction, const sockaddr* local,
                          const sockaddr* remote) const {
  if (!matcher_ || (!local && !remote)) return nullptr;
  std::optional<uint16_t> local_port = local ? internet_port(local) : 0;
  std::optional<uint16_t> remote_port = remote ? internet_port(remote) : std::nullopt;
  if (!local_port || (remote && !remote_port)) return nullptr;
  const uint32_t number = matcher_->find(direction, *local_port, remote_port);
  return number == no_rule ? nullptr : &rules_[number];
}

}  // namespace gaiter::policy
