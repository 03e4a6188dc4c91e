#include "shim/in_clear.h"

#include <netinet/in.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "shim/live.h"
#include "shim/real.h"
#include "shim/refusal.h"
#include "shim/tcp.h"

namespace gaiter::shim::in_clear {

namespace {

using policy::Direction;
using policy::Rule;

// A bit a port. A child goes on where its parent was.
constinit std::atomic<uint64_t> told_listening[65'536 / 64]{};

constexpr uint32_t most_connecting = 8;
constinit std::atomic<uint16_t> told_connecting[most_connecting]{};
constinit std::atomic<uint32_t> connecting_count = 0;

const std::vector<policy::PortRange>& ports_of(const Rule& rule) {
  return rule.direction == Direction::inbound ? rule.local_ports : rule.remote_ports;
}

uint16_t port_of(const sockaddr* address) {
  // At the same place in a sockaddr_in6.
  return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}

struct Nearest {
  const Rule* rule = nullptr;
  int port = 0;
  int distance = 1 << 16;
};

// `any`: whether there is a rule of that direction.
Nearest nearest(const policy::Policy& policy, Direction direction, int port, bool& any) {
  Nearest found;
  for (const Rule& rule : policy.rules()) {
    if (rule.direction != direction) continue;
    any = true;
    for (const policy::PortRange& range : ports_of(rule)) {
      const int there = std::clamp<int>(port, range.first, range.last);
      if (std::abs(there - port) < found.distance) found = {&rule, there, std::abs(there - port)};
    }
  }
  return found;
}

void tell(Direction direction, int fd, const sockaddr* remote, uint16_t port, bool others) {
  const live::Use use;
  const Snapshot& here = live::current();
  bool any = false;
  const Nearest near = nearest(here.policy(), direction, port, any);
  const char* const word = direction == Direction::inbound ? "inbound" : "outbound";
  char advice[400];
  if (near.rule == nullptr) {
    snprintf(advice, sizeof advice,
             any ? "no %s rule that names ports is near; see gaiter explain"
                 : "there is no %s rule; add one for this port",
             word);
  } else if (near.distance == 0) {
    snprintf(advice, sizeof advice,
             "rule %.100s is for port %d, but another of its conditions does not hold; see gaiter "
             "explain",
             near.rule->name.c_str(), near.port);
  } else {
    snprintf(advice, sizeof advice, "the nearest %s rule, %.100s, is for port %d; add one for %u",
             word, near.rule->name.c_str(), near.port, port);
  }
  log_in_clear(direction == Direction::inbound, fd, remote, port, others, advice);
}

bool is_silent(const Snapshot& here) {
  return here.why_blocked() != nullptr || here.policy().unmatched_is_said() ||
         here.policy().rules().empty();
}

}  // namespace

void listening(int fd) {
  const int saved_errno = errno;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* const local = reinterpret_cast<sockaddr*>(&storage);
  // The number of a port that the kernel chose is known now.
  if (!is_silent(live::current()) && is_tcp(fd) && real::getsockname(fd, local, &length) == 0) {
    const uint16_t port = port_of(local);
    const uint64_t bit = uint64_t{1} << (port % 64);
    if ((told_listening[port / 64].fetch_or(bit) & bit) == 0)
      tell(Direction::inbound, fd, nullptr, port, false);
  }
  errno = saved_errno;
}

void connecting(int fd, const sockaddr* remote) {
  const int saved_errno = errno;
  const uint16_t port = port_of(remote);
  const auto is_told = [port] {
    const uint32_t count = std::min(connecting_count.load(), most_connecting);
    return count == most_connecting ||
           std::any_of(told_connecting, told_connecting + count,
                       [port](const std::atomic<uint16_t>& told) { return told.load() == port; });
  };
  if (!is_told() && !is_silent(live::current())) {
    if (const uint32_t number = connecting_count.fetch_add(1); number < most_connecting) {
      told_connecting[number].store(port);
      tell(Direction::outbound, fd, remote, port, number == most_connecting - 1);
    }
  }
  errno = saved_errno;
}

}  // namespace gaiter::shim::in_clear
