#include "shim/name_record.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace gaiter::shim {

namespace {

// FNV-1a.
uint32_t hash_of(const HostBytes& host) {
  uint32_t hash = 2'166'136'261;
  for (const uint8_t byte : host) hash = (hash ^ byte) * 16'777'619;
  return hash ^ hash >> 15;
}

}  // namespace

size_t NameRecord::used() const {
  if (memory_.empty()) return 0;
  const size_t entries = header().used.load(std::memory_order_acquire);
  return std::min(sizeof(Header) + entries, memory_.size());
}

NameRecord::Stored* NameRecord::stored(EntryOffset at) const {
  if (at < sizeof(Header) || at % alignof(Stored) != 0 || at > memory_.size() - sizeof(Stored))
    return nullptr;
  auto* const found = reinterpret_cast<Stored*>(memory_.data() + at);
  const size_t length = std::atomic_ref(found->length).load(std::memory_order_relaxed);
  return length <= memory_.size() - at - sizeof(Stored) ? found : nullptr;
}

EntryOffset NameRecord::allocate(size_t length) const {
  const size_t size = (sizeof(Stored) + length + 7) / 8 * 8;
  const size_t room = memory_.size() - sizeof(Header);
  uint32_t seen = header().used.load(std::memory_order_relaxed);
  do {
    if (seen % 8 != 0 || seen > room || size > room - seen) return 0;
  } while (!header().used.compare_exchange_weak(seen, static_cast<uint32_t>(seen + size),
                                                std::memory_order_relaxed));
  return static_cast<EntryOffset>(sizeof(Header) + seen);
}

template <class Seen>
EntryOffset NameRecord::walk(const HostBytes& host, Seen seen) const {
  EntryOffset at = header().buckets[hash_of(host) % bucket_count].load(std::memory_order_acquire);
  for (size_t left = memory_.size() / sizeof(Stored); left != 0; --left) {
    Stored* const entry = stored(at);
    if (entry == nullptr) return 0;
    if (entry->host == host && seen(at, *entry)) return at;
    at = entry->next.load(std::memory_order_acquire);
  }
  return 0;
}

EntryOffset NameRecord::add(const HostBytes& host, uint16_t port, std::string_view name,
                            uint64_t order) const {
  if (memory_.empty()) return 0;
  const EntryOffset known = walk(host, [&](EntryOffset, Stored& entry) {
    if (entry.port != port || entry.length != name.size() ||
        std::memcmp(entry.name(), name.data(), name.size()) != 0)
      return false;
    entry.order.store(order, std::memory_order_relaxed);
    return true;
  });
  if (known != 0) return known;
  const EntryOffset at = allocate(name.size());
  if (at == 0) {
    const uint32_t bit = hash_of(host) % lost_bits;
    header().lost[bit / 64].fetch_or(uint64_t{1} << (bit % 64));
    return 0;
  }
  auto* const entry = reinterpret_cast<Stored*>(memory_.data() + at);
  entry->order.store(order, std::memory_order_relaxed);
  entry->port = port;
  entry->length = static_cast<uint8_t>(name.size());
  entry->host = host;
  std::memcpy(entry->name(), name.data(), name.size());
  std::atomic<EntryOffset>& bucket = header().buckets[hash_of(host) % bucket_count];
  EntryOffset first = bucket.load(std::memory_order_relaxed);
  do {
    entry->next.store(first, std::memory_order_relaxed);
  } while (!bucket.compare_exchange_weak(first, at, std::memory_order_release));
  return at;
}

void NameRecord::visit(const HostBytes& host, const std::function<bool(Entry)>& visit) const {
  if (memory_.empty()) return;
  walk(host, [&](EntryOffset at, const Stored&) {
    Entry entry = read(at, host);
    return !entry.name.empty() && visit(std::move(entry));
  });
}

NameRecord::Entry NameRecord::read(EntryOffset at, const HostBytes& host) const {
  Stored* const entry = memory_.empty() ? nullptr : stored(at);
  if (entry == nullptr || entry->host != host) return {};
  // Read once: it is copied by what was checked, whatever is written there meanwhile.
  const size_t length = std::atomic_ref(entry->length).load(std::memory_order_relaxed);
  if (length > memory_.size() - at - sizeof(Stored)) return {};
  return {at, entry->port, entry->order.load(std::memory_order_relaxed),
          std::string(entry->name(), length)};
}

bool NameRecord::complete(const HostBytes& host) const {
  if (memory_.empty()) return true;
  const uint32_t bit = hash_of(host) % lost_bits;
  return (header().lost[bit / 64].load(std::memory_order_relaxed) >> (bit % 64) & 1) == 0;
}

bool host_of(const sockaddr* address, HostBytes& host) {
  if (address->sa_family == AF_INET6) {
    std::memcpy(host.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
    return true;
  }
  if (address->sa_family != AF_INET) return false;
  host = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::memcpy(host.data() + 12, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
  return true;
}

uint16_t port_of(const sockaddr* address) {
  // The same place in both, RFC 3493.
  return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}

}  // namespace gaiter::shim
