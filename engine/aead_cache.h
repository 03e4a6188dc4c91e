// Expanded keys are costly to make and big to keep: each back end keeps a fixed
// table of them, where a key's place follows from AeadKey::id. KeySlot says who
// owns such a place and which key lies there.
//
// Nothing here waits: a place that is taken (by another thread, or by the call
// that this signal handler interrupted) is simply not used this time.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "engine/aead.h"

namespace gaiter::engine {

// Rises in a fork child, so that the marks of threads that exist only in the
// parent lose their meaning without a walk through the tables.
extern constinit std::atomic<uint32_t> fork_generation;

class alignas(64) KeySlot {
 public:
  // True = the caller owns the place until release().
  bool try_acquire() {
    const uint32_t now = fork_generation.load(std::memory_order_relaxed);
    uint32_t owner = owner_.load(std::memory_order_relaxed);
    if (owner == now || !owner_.compare_exchange_strong(owner, now, std::memory_order_acquire,
                                                        std::memory_order_relaxed)) {
      return false;
    }
    // Its owner was lost in a fork, perhaps in the middle of an expansion.
    if (owner != 0) forget_name();
    return true;
  }
  void release() { owner_.store(0, std::memory_order_release); }

  // ---- for the owner ----

  // Whether the expanded form of `key` lies here. The key itself is compared, so
  // two keys of one id could cost time but never be mistaken for each other.
  bool holds(const AeadKey& key) const {
    return id_.load(std::memory_order_relaxed) == key.id && cipher_ == key.cipher &&
           std::memcmp(key_, key.key, 16) == 0 &&
           (key_length(key.cipher) == 16 || std::memcmp(key_ + 16, key.key + 16, 16) == 0);
  }
  bool holds(uint64_t id) const { return id_.load(std::memory_order_relaxed) == id; }

  // Around an expansion: a fork in its middle must show the child an empty place,
  // so the name goes before, and not after, what it names.
  void forget_name() { id_.exchange(0, std::memory_order_seq_cst); }
  void take_name(const AeadKey& key) {
    cipher_ = key.cipher;
    std::memcpy(key_, key.key, key_length(key.cipher));
    id_.store(key.id, std::memory_order_release);
  }

  // Wipes the copy of the key.
  void wipe();

 private:
  std::atomic<uint32_t> owner_{0};  // the owner's fork_generation; 0 = nobody
  Cipher cipher_{};
  std::atomic<uint64_t> id_{0};  // 0 = nothing lies here
  uint8_t key_[32]{};
};

}  // namespace gaiter::engine
