// Points in time (process::now(), in nanoseconds) and what system calls take for them.
#pragma once

#include <time.h>

#include <algorithm>
#include <cstdint>

#include "shim/process.h"

namespace gaiter::shim {

// The end of a wait that has none.
inline constexpr int64_t forever = INT64_MAX;

inline timespec to_timespec(int64_t nanoseconds) {
  return {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
}

// 0 if it is past.
inline timespec time_left(int64_t until) {
  return to_timespec(std::max<int64_t>(until - process::now(), 0));
}

// As the kernel judges: else EINVAL.
inline bool is_valid(const timespec& time) {
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < 1'000'000'000;
}

// When a wait of that length ends which begins now. 0 = at once: it does not wait; nullptr
// and times beyond all clocks: never.
inline int64_t deadline_in(const timespec* time) {
  if (time == nullptr || time->tv_sec > INT64_MAX / 2'000'000'000) return forever;
  const int64_t wait = int64_t{time->tv_sec} * 1'000'000'000 + time->tv_nsec;
  return wait == 0 ? 0 : process::now() + wait;
}

}  // namespace gaiter::shim
