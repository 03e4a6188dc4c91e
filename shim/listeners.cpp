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
}

bool is_own(const sockaddr* local, const sockaddr* remote) {
  const uint16_t port = port_of(remote);
  return (ports[port / 64].load(std::memory_order_acquire) >> (port % 64) & 1) != 0 &&
         same_host(local, remote);
}

void after_fork_in_child() {
  for (auto& word : ports) word.store(0, std::memory_order_relaxed);
}

}  // namespace gaiter::shim::listeners
