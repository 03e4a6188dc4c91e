#include "shim/listeners.h"

#include <netinet/in.h>

#include <atomic>
#include <cstdint>
#include <cstring>

namespace gaiter::shim::listeners {

namespace {

// One bit a port: entries outlive their sockets, which costs nothing but a relay
// where none was needed.
constinit std::atomic<uint64_t> ports[65'536 / 64]{};

// Filled from the front, never emptied. Two threads that listen at the same moment:
// the second one's address is not kept, and its keys are read when first needed.
constinit sockaddr_in6 addresses[max_known]{};  // or a sockaddr_in each
constinit std::atomic<size_t> filled = 0;
constinit std::atomic<bool> filling = false;

uint16_t port_of(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
}

bool same_host(const sockaddr* a, const sockaddr* b) {
  if (a->sa_family != b->sa_family) return false;
  if (a->sa_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in*>(a)->sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in*>(b)->sin_addr.s_addr;
  }
  return std::memcmp(&reinterpret_cast<const sockaddr_in6*>(a)->sin6_addr,
                     &reinterpret_cast<const sockaddr_in6*>(b)->sin6_addr, 16) == 0;
}

}  // namespace

void add(const sockaddr* local) {
  const uint16_t port = port_of(local);
  ports[port / 64].fetch_or(uint64_t{1} << (port % 64), std::memory_order_release);
  if (filling.exchange(true, std::memory_order_acquire)) return;
  size_t number = 0;
  const size_t present = filled.load(std::memory_order_relaxed);
  while (number < present && !(port_of(at(number)) == port && same_host(at(number), local)))
    ++number;
  if (number == present && number < max_known) {
    std::memcpy(&addresses[number], local,
                local->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    filled.store(number + 1, std::memory_order_release);
  }
  filling.store(false, std::memory_order_release);
}

size_t count() { return filled.load(std::memory_order_acquire); }

const sockaddr* at(size_t number) { return reinterpret_cast<const sockaddr*>(&addresses[number]); }

bool is_own(const sockaddr* local, const sockaddr* remote) {
  const uint16_t port = port_of(remote);
  return (ports[port / 64].load(std::memory_order_acquire) >> (port % 64) & 1) != 0 &&
         same_host(local, remote);
}

void after_fork_in_child() {
  filling.store(false, std::memory_order_relaxed);
  for (auto& word : ports) word.store(0, std::memory_order_relaxed);
}

}  // namespace gaiter::shim::listeners
