// The hooks: each is defined as hook_NAME and exported as NAME, so that no header's
// attributes (nonnull, noexcept) are taken for promises of the caller.
//
// A hook on a descriptor that Gaiter knows nothing of is a look at the table and
// libc's own function. None is noexcept: a cancelled thread unwinds through them.
#pragma once

#include <cerrno>
#include <cstdint>

#include "shim/connection.h"
#include "shim/fd_table.h"
#include "shim/libc_types.h"
#include "shim/memory.h"
#include "shim/real.h"

#define HOOK(returns, name, parameters, arguments, number) \
  extern "C"                                               \
      [[gnu::visibility("default"), gnu::used]] returns hook_##name parameters __asm__(#name);
#define UNBOUND(returns, name)
#define ALIAS(name, of)
#include "shim/symbols.def"
#undef HOOK
#undef UNBOUND
#undef ALIAS

// The definition of an UNBOUND one.
#define UNBOUND_HOOK(returns, name, parameters)                                                \
  extern "C"                                                                                   \
      [[gnu::visibility("default"), gnu::used]] returns hook_##name parameters __asm__(#name); \
  returns hook_##name parameters

// libc's second name for a function that the same file defines (ALIAS in symbols.def).
#define HOOK_ALIAS(name, of) \
  __asm__(".globl " #name "\n.type " #name ", @function\n.set " #name ", " #of);

namespace gaiter::shim {

// The connection behind a descriptor, for the time of one call.
class Protected {
 public:
  // Empty for a descriptor that is not ours, or a watched socket that is clear.
  explicit Protected(int fd) : slot_(fd_table::find(fd)), connection_(as_connection(slot_)) {
    if (connection_ != nullptr && !connection_->is_protected() && connection_->may_be_clear(fd))
      connection_ = nullptr;
  }
  explicit operator bool() const { return connection_ != nullptr; }
  Connection* operator->() const { return connection_; }
  Connection& operator*() const { return *connection_; }

 protected:
  // Also a watched socket that is clear.
  Connection* watched() const { return as_connection(slot_); }
  void leave_alone() { connection_ = nullptr; }

 private:
  SlotRef slot_;
  Connection* connection_;
};

// A filter on system calls is about to be set (hooks_privilege.cpp).
void prepare_for_filter();

// The same as Protected, for a call that moves bytes. One on a socket that another process may have
// connected (adoption.h) is refused, with errno, unless it turns out to be clear; so is another
// library's on one that is not connected yet (behind.h). What is refused counts as not protected.
class Traffic : public Protected {
 public:
  explicit Traffic(int fd);
  bool is_refused() const { return is_refused_; }

 private:
  bool is_refused_ = false;
};

// The bytes that an iovec names, or -1 with EFAULT, EINVAL or EMSGSIZE as the
// kernel has it. Whether the memory that it names may be touched is another question.
ssize_t total_length(const iovec* iov, size_t count);
// How many of these bytes can be read: what the kernel would send. -1 with EFAULT if too few.
ssize_t sendable_length(const iovec* iov, size_t count);

// For the _chk functions: a buffer is smaller than what is to be put into it.
[[noreturn]] void buffer_overflow();

inline int fail_with(int error) {
  errno = error;
  return -1;
}

}  // namespace gaiter::shim
