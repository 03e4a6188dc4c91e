#include "shim/hooks.h"

#include <climits>
#include <cstdlib>

#include "shim/adoption.h"
#include "shim/behind.h"

namespace gaiter::shim {

Traffic::Traffic(int fd) : Protected(fd) {
  Connection* const socket = watched();
  if (socket == nullptr) return;
  const State state = socket->state();
  if (state != State::fresh && state != State::connecting) return;
  if (behind::refuses_dialogue()) {
    is_refused_ = true;
  } else if (state == State::fresh && socket->travels()) {
    const int error = meet_traveller(fd, *socket);
    if (error != 0) errno = error;
    is_refused_ = error != 0;
  }
  if (is_refused_) leave_alone();
}

ssize_t total_length(const iovec* iov, size_t count) {
  if (count > IOV_MAX) return fail_with(EMSGSIZE);
  if (!memory::can_read(iov, count * sizeof *iov)) return fail_with(EFAULT);
  size_t length = 0;
  for (size_t i = 0; i < count; ++i) {
    if (iov[i].iov_len > SSIZE_MAX) return fail_with(EINVAL);
    const auto* const last = static_cast<const uint8_t*>(iov[i].iov_base) + iov[i].iov_len;
    if (iov[i].iov_len != 0 && (!may_be_memory(iov[i].iov_base) || !may_be_memory(last)))
      return fail_with(EFAULT);
    length += iov[i].iov_len;
  }
  return static_cast<ssize_t>(length);
}

ssize_t sendable_length(const iovec* iov, size_t count) {
  const ssize_t total = total_length(iov, count);
  ssize_t good = 0;
  for (size_t i = 0; good < total; ++i) {
    const size_t length = memory::readable(iov[i].iov_base, iov[i].iov_len);
    good += static_cast<ssize_t>(length);
    if (length == iov[i].iov_len) continue;
    // As TCP, which copies pieces of this size and loses one that it cannot read to the end.
    constexpr ssize_t copied_at_once = 32 << 10;
    return good >= copied_at_once ? good : fail_with(EFAULT);
  }
  return total;
}

void buffer_overflow() {
  static constexpr char message[] = "*** buffer overflow detected ***: terminated\n";
  // Descriptor 2 may be a connection.
  if (!fd_table::has(2)) {
    [[maybe_unused]] const ssize_t ignored = real::write(2, message, sizeof message - 1);
  }
  std::abort();
}

}  // namespace gaiter::shim
