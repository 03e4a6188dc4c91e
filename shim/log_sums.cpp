#include "shim/log_sums.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace gaiter::shim::log {

namespace {

constexpr size_t peers = 64;
constexpr size_t kinds_of_a_peer = 4;
constexpr size_t kept = peers * kinds_of_a_peer;

struct Peer {
  uint8_t family = AF_UNSPEC;
  uint8_t address[16] = {};  // of IPv6 the network alone
  bool operator==(const Peer&) const = default;
};

enum class Stage : uint32_t { free, changing, counts };

struct Sum {
  std::atomic<Stage> stage;
  std::atomic<uint32_t> times;  // behind the line that was written in full
  std::atomic<uint64_t> key;
  std::atomic<int64_t> since;
  Level level;
  Peer peer;
  bool is_first_of_peer;
  char words[104];
  char reason[120];
};

struct Sums {
  std::atomic<int32_t> keeper;  // process id; 0 = nobody
  std::atomic<int64_t> due;     // INT64_MAX = nothing waits
  Sum sums[kept + 1];           // the last is for all who found no place
};

// In a child that was forked before there was one, another one.
constinit std::atomic<Sums*> shared = nullptr;

Sums* table() {
  Sums* present = shared.load(std::memory_order_acquire);
  if (present != nullptr) return present;
  void* const memory =
      mmap(nullptr, sizeof(Sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, sizeof(Sums), MADV_DONTDUMP);
  auto* const fresh = static_cast<Sums*>(memory);  // zeroed: all free
  fresh->due.store(INT64_MAX, std::memory_order_relaxed);
  fresh->keeper.store(getpid(), std::memory_order_relaxed);
  if (shared.compare_exchange_strong(present, fresh)) return fresh;
  munmap(memory, sizeof(Sums));
  return present;
}

Peer peer_of(const sockaddr* address) {
  Peer peer;
  if (address == nullptr) return peer;
  if (address->sa_family == AF_INET) {
    peer.family = AF_INET;
    std::memcpy(peer.address, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
  } else if (address->sa_family == AF_INET6) {
    const in6_addr& long_one = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&long_one);
    peer.family = mapped ? AF_INET : AF_INET6;
    std::memcpy(peer.address, long_one.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 8);
  }
  return peer;
}

struct PeerText {
  char text[INET6_ADDRSTRLEN + 4] = "others";
};

PeerText describe(const Peer& peer) {
  PeerText result;
  if (peer.family == AF_UNSPEC) return result;
  inet_ntop(peer.family, peer.address, result.text, INET6_ADDRSTRLEN);
  if (peer.family == AF_INET6) std::strcat(result.text, "/64");
  return result;
}

uint64_t hash(uint64_t seed, const void* data, size_t length) {  // FNV-1a
  const auto* const bytes = static_cast<const uint8_t*>(data);
  for (size_t i = 0; i < length; ++i) seed = (seed ^ bytes[i]) * 0x100000001b3;
  return seed;
}

uint64_t key_of(const Peer& peer, std::string_view words, std::string_view reason) {
  uint64_t key = hash(0xcbf29ce484222325, peer.address, sizeof peer.address);
  key = hash(hash(key, &peer.family, 1), words.data(), words.size());
  return hash(hash(key, "", 1), reason.data(), reason.size());
}

template <size_t size>
void keep(char (&place)[size], std::string_view text) {
  const size_t length = std::min(text.size(), size - 1);
  std::memcpy(place, text.data(), length);
  place[length] = '\0';
}

// Another process may have written what lies there: not believed to end.
template <size_t size>
std::string_view kept_text(const char (&place)[size]) {
  return {place, strnlen(place, size - 1)};
}

// What is in it cannot end a value in quotes.
struct Quotable {
  char text[128];
  explicit Quotable(std::string_view from) {
    size_t length = 0;
    for (const char c : from.substr(0, sizeof text - 1))
      text[length++] = c == '"' || c == '\\' ? '\'' : c;
    text[length] = '\0';
  }
};

void write_sum(const Sum& sum, uint32_t times) {
  const PeerText peer = describe(sum.peer);
  const Quotable reason(kept_text(sum.reason));
  // Another process may have written it.
  const Level level = sum.level <= Level::debug ? sum.level : Level::warning;
  line(level, "summed {} remote={} times={} reason=\"{} more from {} within a minute: {}\"",
       kept_text(sum.words), peer.text, times, times, peer.text, reason.text);
}

// Ends a count, and says what it came to. Whoever changes the stage has it for himself.
void finish(Sum& sum) {
  Stage seen = Stage::counts;
  if (!sum.stage.compare_exchange_strong(seen, Stage::changing, std::memory_order_acquire)) return;
  if (const uint32_t times = sum.times.exchange(0); times != 0) write_sum(sum, times);
  sum.stage.store(Stage::free, std::memory_order_release);
}

bool counts(const Sum& sum) { return sum.stage.load(std::memory_order_acquire) == Stage::counts; }

void finish_those_over(Sums& all, int64_t now) {
  int64_t due = INT64_MAX;
  for (Sum& sum : all.sums) {
    if (!counts(sum)) continue;
    const int64_t end = sum.since.load(std::memory_order_relaxed) + sum_period;
    if (now >= end) {
      finish(sum);
    } else if (sum.times.load(std::memory_order_relaxed) != 0) {
      due = std::min(due, end);
    }
  }
  all.due.store(due);
}

void count_one(Sums& all, Sum& sum) {
  sum.times.fetch_add(1);
  const int64_t end = sum.since.load(std::memory_order_relaxed) + sum_period;
  int64_t due = all.due.load();
  while (end < due && !all.due.compare_exchange_weak(due, end)) {
  }
}

bool begin(Sum& sum, uint64_t key, int64_t now, Level level, const Peer& peer,
           bool is_first_of_peer, std::string_view words, std::string_view reason) {
  Stage seen = Stage::free;
  if (!sum.stage.compare_exchange_strong(seen, Stage::changing, std::memory_order_acquire))
    return false;
  sum.times.store(0, std::memory_order_relaxed);
  sum.key.store(key, std::memory_order_relaxed);
  sum.since.store(now, std::memory_order_relaxed);
  sum.level = level;
  sum.peer = peer;
  sum.is_first_of_peer = is_first_of_peer;
  keep(sum.words, words);
  keep(sum.reason, reason);
  sum.stage.store(Stage::counts, std::memory_order_release);
  return true;
}

Sum* find(Sums& all, uint64_t key) {
  for (size_t i = 0; i != kept; ++i) {
    if (counts(all.sums[i]) && all.sums[i].key.load(std::memory_order_relaxed) == key)
      return &all.sums[i];
  }
  return nullptr;
}

// How many counts this peer has, and how many peers there are.
struct Crowd {
  size_t of_peer = 0;
  size_t peers = 0;
};

Crowd look_around(const Sums& all, const Peer& peer) {
  Crowd crowd;
  for (size_t i = 0; i != kept; ++i) {
    if (!counts(all.sums[i])) continue;
    crowd.of_peer += all.sums[i].peer == peer;
    crowd.peers += all.sums[i].is_first_of_peer;
  }
  return crowd;
}

}  // namespace

void keep_sums() {
  Sums* const all = table();
  int32_t nobody = 0;
  if (all != nullptr && all->keeper.load(std::memory_order_relaxed) == 0)
    all->keeper.compare_exchange_strong(nobody, getpid());
}

bool is_first(Level level, const sockaddr* address, std::string_view words, std::string_view reason,
              int64_t now) {
  Sums* const all = table();
  if (all == nullptr) return true;
  finish_those_over(*all, now);
  const Peer peer = peer_of(address);
  uint64_t key = key_of(peer, words, reason);
  if (Sum* const found = find(*all, key)) {
    count_one(*all, *found);
    return false;
  }
  const Crowd crowd = look_around(*all, peer);
  if (crowd.of_peer != 0 ? crowd.of_peer < kinds_of_a_peer : crowd.peers < peers) {
    for (size_t i = 0; i != kept; ++i)
      if (begin(all->sums[i], key, now, level, peer, crowd.of_peer == 0, words, reason))
        return true;
  }
  Sum& others = all->sums[kept];
  if (begin(others, 0, now, level, {}, false, "rule=- cause=various",
            "connections of various ends"))
    return true;
  count_one(*all, others);
  return false;
}

int64_t write_due_sums() {
  Sums* const all = shared.load(std::memory_order_acquire);
  if (all == nullptr) return INT64_MAX;
  const int64_t due = all->due.load(std::memory_order_relaxed);
  if (due == INT64_MAX) [[likely]]
    return due;
  const int64_t now = process::now();
  if (now < due) return due;
  write_sums_due_at(now);
  return all->due.load(std::memory_order_relaxed);
}

void write_sums_due_at(int64_t now) {
  const int saved_errno = errno;
  if (Sums* const all = shared.load(std::memory_order_acquire)) finish_those_over(*all, now);
  errno = saved_errno;
}

void write_last_sums() {
  Sums* const all = shared.load(std::memory_order_acquire);
  if (all == nullptr || all->keeper.load() != getpid()) return;
  for (Sum& sum : all->sums) finish(sum);
  all->due.store(INT64_MAX);
  all->keeper.store(0);  // a daemon's first process: whoever accepts next
}

}  // namespace gaiter::shim::log
