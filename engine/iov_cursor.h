// A position in a caller's scattered buffer (readv, sendmsg): where the next
// byte goes to or comes from.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace gaiter::engine {

class IovCursor {
 public:
  IovCursor(const iovec* iov, size_t count) : iov_(iov), end_(iov + count) { skip_empty(); }

  // A cursor over nothing.
  IovCursor() : iov_(nullptr), end_(nullptr) {}

  bool empty() const { return iov_ == end_; }

  // The contiguous piece at the cursor; both are 0 at the end.
  uint8_t* data() const {
    return empty() ? nullptr : static_cast<uint8_t*>(iov_->iov_base) + offset_;
  }
  size_t contiguous() const { return empty() ? 0 : iov_->iov_len - offset_; }

  // Bytes from the cursor to the end.
  size_t remaining() const {
    size_t total = 0;
    for (const iovec* piece = iov_; piece != end_; ++piece) total += piece->iov_len;
    return total - offset_;
  }

  // The pieces from the cursor on, and leaves out those behind the first `count`.
  size_t pieces() const { return static_cast<size_t>(end_ - iov_); }
  iovec piece(size_t number) const {
    const size_t skipped = number == 0 ? offset_ : 0;
    return {static_cast<uint8_t*>(iov_[number].iov_base) + skipped, iov_[number].iov_len - skipped};
  }
  void end_behind(size_t count) { end_ = iov_ + count; }

  // Moves on by `length` bytes, at most remaining().
  void advance(size_t length) {
    while (length != 0) {
      const size_t step = std::min(length, contiguous());
      offset_ += step;
      length -= step;
      if (offset_ == iov_->iov_len) {
        ++iov_;
        offset_ = 0;
        skip_empty();
      }
    }
  }

  // Copies between the scattered buffer and `flat`, and moves on.
  void copy_out(uint8_t* flat, size_t length) {
    while (length != 0) {
      const size_t step = std::min(length, contiguous());
      std::memcpy(flat, data(), step);
      flat += step;
      length -= step;
      advance(step);
    }
  }
  void copy_in(const uint8_t* flat, size_t length) {
    while (length != 0) {
      const size_t step = std::min(length, contiguous());
      std::memcpy(data(), flat, step);
      flat += step;
      length -= step;
      advance(step);
    }
  }

 private:
  void skip_empty() {
    while (iov_ != end_ && iov_->iov_len == 0) ++iov_;
  }

  const iovec* iov_;
  const iovec* end_;
  size_t offset_ = 0;
};

}  // namespace gaiter::engine
