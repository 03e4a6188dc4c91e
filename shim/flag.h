// Yes or no in memory that others can write: any byte there is one of the two, where a bool
// must not be anything else.
#pragma once

#include <atomic>
#include <cstdint>

namespace gaiter::shim {

// `order`: of assignments and plain looks.
template <std::memory_order store_order, std::memory_order load_order>
class FlagOf {
 public:
  constexpr FlagOf(bool yes = false) : value_(yes) {}
  FlagOf(const FlagOf& other) : value_(other.load()) {}
  FlagOf& operator=(const FlagOf& other) { return *this = other.load(); }
  FlagOf& operator=(bool yes) {
    store(yes, store_order);
    return *this;
  }
  operator bool() const { return load(load_order); }

  bool load(std::memory_order order = std::memory_order_seq_cst) const {
    return value_.load(order) != 0;
  }
  void store(bool yes, std::memory_order order = std::memory_order_seq_cst) {
    value_.store(yes, order);
  }
  bool exchange(bool yes) { return value_.exchange(yes) != 0; }

 private:
  std::atomic<uint8_t> value_;
};

// Under a lock; and between threads that take none.
using Flag = FlagOf<std::memory_order_relaxed, std::memory_order_relaxed>;
using AtomicFlag = FlagOf<std::memory_order_seq_cst, std::memory_order_seq_cst>;

}  // namespace gaiter::shim
