// An array for poll(2), which may be called where malloc may not.
#pragma once

#include <poll.h>

#include <iterator>
#include <new>

#include "shim/arena.h"

namespace gaiter::shim {

// On the stack, or from the arena; one that is too long even for that, from the heap.
class PollArray {
 public:
  explicit PollArray(nfds_t count) {
    if (count <= std::size(few_)) {
      data_ = few_;
    } else if (count <= arena::batch_size / sizeof(pollfd)) {
      data_ = static_cast<pollfd*>(many_ = arena::allocate(arena::Block::batch));
    } else {
      data_ = heap_ = new (std::nothrow) pollfd[count];
    }
  }
  ~PollArray() {
    arena::release(arena::Block::batch, many_);
    delete[] heap_;
  }
  PollArray(const PollArray&) = delete;
  PollArray& operator=(const PollArray&) = delete;

  // nullptr: no memory. Contents are undefined.
  pollfd* data() const { return data_; }

 private:
  pollfd few_[64];
  void* many_ = nullptr;
  pollfd* heap_ = nullptr;
  pollfd* data_;
};

}  // namespace gaiter::shim
