#include "shim/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <utility>

#include "shim/a_labels.h"
#include "shim/address_memory.h"
#include "shim/name_record.h"
#include "shim/process.h"

namespace gaiter::shim::names {

namespace {

// Address space; pages are taken as they are needed. Room for 200,000 look-ups. Less where
// the program's limits are tight.
constexpr size_t largest_record = size_t{16} << 20;

// Beyond this many names for one address nobody could say what a certificate must be for.
constexpr size_t most_candidates = 4096;

// A record that is mapped when it is first needed, and never unmapped but by replace().
class Mapped {
 public:
  constexpr explicit Mapped(int sharing) : sharing_(sharing) {}

  // Empty without memory, or if it was not made.
  NameRecord get(bool make) {
    uintptr_t seen = place_.load(std::memory_order_acquire);
    if (seen == 0 && make) seen = map();
    return seen == 0 ? NameRecord() : NameRecord(memory_of(seen));
  }

  // A copy that nobody else has takes the place, at once for all threads.
  void replace() {
    const NameRecord shared = get(false);
    if (!shared) return;
    uint8_t* const at = shared.memory().data();
    const size_t size = shared.memory().size();
    if (void* const copy = anonymous(size); copy != MAP_FAILED) {
      std::memcpy(copy, at, shared.used());
      if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED) return;
      munmap(copy, size);
    }
    // Better to know nothing than to share it.
    mmap(at, size, PROT_READ | PROT_WRITE, sharing_ | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
         0);
  }

 private:
  // Where it lies, with the logarithm of its size in the bits that pages leave.
  static std::span<uint8_t> memory_of(uintptr_t place) {
    constexpr uintptr_t low = 63;
    return {reinterpret_cast<uint8_t*>(place & ~low), size_t{1} << (place & low)};
  }

  void* anonymous(size_t size) const {
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              sharing_ | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) madvise(memory, size, MADV_DONTDUMP);
    return memory;
  }

  uintptr_t map() {
    for (size_t size = largest_record; size >= NameRecord::least_size; size /= 4) {
      void* const memory = anonymous(size);
      if (memory == MAP_FAILED) continue;
      const uintptr_t made =
          reinterpret_cast<uintptr_t>(memory) | static_cast<uintptr_t>(std::countr_zero(size));
      uintptr_t first = 0;
      if (place_.compare_exchange_strong(first, made)) return made;
      munmap(memory, size);  // another thread was first
      return first;
    }
    return 0;
  }

  const int sharing_;
  std::atomic<uintptr_t> place_{0};
};

constinit Mapped own{MAP_PRIVATE};
constinit Mapped family{MAP_SHARED};

// The latest look-ups of a thread, in `own`.
struct Latest {
  static constexpr size_t kept = 16;
  EntryOffset entries[kept];
  uint8_t next;
};
constinit thread_local Latest latest{};

void note(EntryOffset entry) {
  if (entry == 0) return;
  latest.entries[latest.next] = entry;
  latest.next = (latest.next + 1) % Latest::kept;
}

// 0 = the last; Latest::kept = none of them.
size_t age_of(EntryOffset entry) {
  for (size_t age = 0; age < Latest::kept; ++age) {
    if (latest.entries[(latest.next + Latest::kept - 1 - age) % Latest::kept] == entry) return age;
  }
  return Latest::kept;
}

bool is_number(const char* name) {
  in_addr v4;
  if (inet_aton(name, &v4) != 0) return true;
  char text[INET6_ADDRSTRLEN];
  const size_t length = std::strcspn(name, "%");  // behind it a scope
  if (length >= sizeof text) return false;
  std::memcpy(text, name, length);
  text[length] = '\0';
  in6_addr v6;
  return inet_pton(AF_INET6, text, &v6) == 1;
}

// As A-labels, in lower case and without the root's dot, RFC 1034 3.1; empty if it is no name.
struct Name {
  explicit Name(std::string_view name) {
    while (name.ends_with('.')) name.remove_suffix(1);
    length = to_a_labels(name, text);
    for (size_t i = 0; i < length; ++i)
      text[i] = static_cast<char>(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    if (length != 0 && is_number(text)) length = 0;
  }
  std::string_view view() const { return {text, length}; }

  NameText text;
  size_t length = 0;
};

struct Ranked {
  NameRecord::Entry entry;
  size_t age;  // in this thread
};

bool better(const Ranked& a, const Ranked& b) {
  return a.age != b.age ? a.age < b.age : a.entry.order > b.entry.order;
}

// All that is known of `host`; false if that are too many.
bool collect(NameRecord record, bool is_own, const HostBytes& host, std::vector<Ranked>& found) {
  record.visit(host, [&](NameRecord::Entry entry) {
    const size_t age = is_own ? age_of(entry.at) : Latest::kept;
    found.push_back({std::move(entry), age});
    return found.size() > most_candidates;
  });
  return found.size() <= most_candidates;
}

}  // namespace

void remember(const char* name, const sockaddr* address, const void* memory) {
  HostBytes host;
  if (name == nullptr || address == nullptr || !host_of(address, host)) return;
  if (memory != nullptr) address_memory::forget(memory);
  const Name clean(name);
  if (clean.length == 0) return;
  const uint16_t port = port_of(address);
  const auto order = static_cast<uint64_t>(process::now());
  const EntryOffset entry = own.get(true).add(host, port, clean.view(), order);
  note(entry);
  if (memory != nullptr && entry != 0) address_memory::remember(memory, entry);
  family.get(true).add(host, port, clean.view(), order);
}

void forget_memory(const void* memory) { address_memory::forget(memory); }

Candidates candidates_for(const sockaddr* address, const void* memory) {
  Candidates result;
  HostBytes host;
  if (!host_of(address, host)) return result;
  if (const EntryOffset at = memory != nullptr ? address_memory::find(memory) : 0; at != 0) {
    // It may have been overwritten with another address.
    if (NameRecord::Entry entry = own.get(false).read(at, host); !entry.name.empty())
      return {{std::move(entry.name)}, false};
  }
  std::vector<Ranked> found;
  const bool all =
      collect(own.get(false), true, host, found) && collect(family.get(false), false, host, found);
  result.others = !all || !own.get(false).complete(host) || !family.get(false).complete(host);

  const uint16_t port = port_of(address);
  const auto is_of_another_service = [port](const Ranked& one) {
    return one.entry.port != 0 && one.entry.port != port;
  };
  if (!std::ranges::all_of(found, is_of_another_service))
    std::erase_if(found, is_of_another_service);
  // Each name once, by its best.
  std::ranges::sort(found, [](const Ranked& a, const Ranked& b) {
    return a.entry.name != b.entry.name ? a.entry.name < b.entry.name : better(a, b);
  });
  const auto is_same = [](const Ranked& a, const Ranked& b) {
    return a.entry.name == b.entry.name;
  };
  found.erase(std::ranges::unique(found, is_same).begin(), found.end());
  std::ranges::sort(found, better);
  for (Ranked& one : found) result.names.push_back(std::move(one.entry.name));
  return result;
}

std::string in_text(const sockaddr* address) {
  HostBytes host;
  if (!host_of(address, host)) return "";
  char text[INET6_ADDRSTRLEN] = "";
  const bool mapped = IN6_IS_ADDR_V4MAPPED(reinterpret_cast<const in6_addr*>(host.data()));
  inet_ntop(mapped ? AF_INET : AF_INET6, host.data() + (mapped ? 12 : 0), text, sizeof text);
  return text;
}

void before_fork() { family.get(true); }

void give_up() { family.replace(); }

size_t reserved() { return own.get(true).memory().size() + family.get(true).memory().size(); }

}  // namespace gaiter::shim::names
