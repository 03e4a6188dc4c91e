#include "shim/hooks.h"

#include <climits>
#include <cstdlib>

namespace gaiter::shim {

namespace {

// False for pointers that no kernel would take.
bool may_be_memory(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  return address >= 4096 && static_cast<intptr_t>(address) > 0;
}

}  // namespace

ssize_t total_length(const iovec* iov, size_t count) {
  if (count > IOV_MAX) return fail_with(EMSGSIZE);
  if (count != 0 && iov == nullptr) return fail_with(EFAULT);
  size_t length = 0;
  for (size_t i = 0; i < count; ++i) {
    if (iov[i].iov_len > SSIZE_MAX - length) return fail_with(EINVAL);
    if (iov[i].iov_len != 0 && !may_be_memory(iov[i].iov_base)) return fail_with(EFAULT);
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
