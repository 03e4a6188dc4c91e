#include "engine/aead_cache.h"

#include <openssl/crypto.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

namespace gaiter::engine {
namespace {

constinit std::atomic<uint64_t> next_id{0};  // 0 = not drawn yet

// The finaliser of SplitMix64.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Where this process starts to count. AT_RANDOM differs for every exec, pid and
// time for every process forked from it. Two processes that take 2^32 keys each
// share an id with a probability of about 2^-31, and KeySlot compares the keys.
uint64_t draw_first_id() {
  uint64_t random = 0;
  if (const auto* bytes = reinterpret_cast<const uint8_t*>(getauxval(AT_RANDOM))) {
    std::memcpy(&random, bytes, sizeof random);
  }
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto time =
      static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  const uint64_t first = mix(mix(random + time) + static_cast<uint64_t>(getpid()));
  return first != 0 ? first : 1;
}

}  // namespace

constinit std::atomic<uint32_t> fork_generation{1};

void KeySlot::wipe() {
  forget_name();
  OPENSSL_cleanse(key_, sizeof key_);
}

uint64_t next_aead_key_id() {
  uint64_t none = 0;
  if (next_id.load(std::memory_order_relaxed) == 0) {
    next_id.compare_exchange_strong(none, draw_first_id(), std::memory_order_relaxed);
  }
  const uint64_t id = next_id.fetch_add(1, std::memory_order_relaxed);
  return id != 0 ? id : next_id.fetch_add(1, std::memory_order_relaxed);
}

void aead_after_fork() {
  fork_generation.fetch_add(1, std::memory_order_relaxed);
  next_id.store(draw_first_id(), std::memory_order_relaxed);
}

}  // namespace gaiter::engine
