#include "shim/hooks.h"

#include <climits>
#include <cstdlib>

namespace gaiter::shim {

ssize_t total_length(const iovec* iov, size_t count) {
  if (count > IOV_MAX) return fail_with(EMSGSIZE);
  if (count != 0 && !may_be_memory(iov)) return fail_with(EFAULT);
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

void buffer_overflow() {
  static constexpr char message[] = "*** buffer overflow detected ***: terminated\n";
  // Descriptor 2 may be a connection.
  if (!fd_table::has(2)) {
    [[maybe_unused]] const ssize_t ignored = real::write(2, message, sizeof message - 1);
  }
  std::abort();
}

}  // namespace gaiter::shim
