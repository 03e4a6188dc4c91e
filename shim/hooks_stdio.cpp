// Hooks: libc's streams, which read and write by themselves, past every hook, and
// its formatted output to descriptors.
#include <cstdlib>

#include "shim/hooks.h"
#include "shim/process.h"
#include "shim/refusal.h"
#include "shim/relay.h"

namespace gaiter::shim {
namespace {

int print(int fd, const char* format, va_list arguments) {
  char small[2048];
  va_list again;
  va_copy(again, arguments);
  const int length = vsnprintf(small, sizeof small, format, arguments);
  char* text = small;
  if (length >= static_cast<int>(sizeof small)) {
    text = static_cast<char*>(std::malloc(static_cast<size_t>(length) + 1));
    if (text != nullptr) vsnprintf(text, static_cast<size_t>(length) + 1, format, again);
  }
  va_end(again);
  if (length < 0) return -1;
  if (text == nullptr) return fail_with(ENOMEM);
  int left = length;
  while (left > 0) {
    const ssize_t written = hook_write(fd, text + (length - left), static_cast<size_t>(left));
    if (written < 0) break;
    left -= static_cast<int>(written);
  }
  if (text != small) std::free(text);
  return left > 0 ? -1 : length;
}

// Calls kernel(), which closes the descriptor behind `stream` where no hook sees it.
template <class Close>
auto forget_descriptor(FILE* stream, Close close) {
  const int saved_errno = errno;
  const int fd = stream != nullptr ? fileno(stream) : -1;  // none: memory, a cookie
  errno = saved_errno;
  if (fd < 0 || !fd_table::has(fd) || process::memory_is_borrowed()) return close();
  before_close(fd);
  const fd_table::Change change(fd);
  return close();
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

FILE* hook_fdopen(int fd, const char* mode) {
  if (fd_table::has(fd)) {
    const SlotRef slot = fd_table::find(fd);
    if (Connection* const connection = as_connection(slot)) {
      if (connection->is_protected() && move_to_relay(fd) != 0) return nullptr;
      if (connection->travels()) {
        refuse_unsupported(EACCES, "a stream on a socket that another process may connect");
        return nullptr;
      }
      connection->streamed = true;  // should it connect one day
    }
  }
  return real::fdopen(fd, mode);
}

int hook_fclose(FILE* stream) {
  return forget_descriptor(stream, [&] { return real::fclose(stream); });
}

FILE* hook_freopen(const char* path, const char* mode, FILE* stream) {
  return forget_descriptor(stream, [&] { return real::freopen(path, mode, stream); });
}

FILE* hook_freopen64(const char* path, const char* mode, FILE* stream) {
  return forget_descriptor(stream, [&] { return real::freopen64(path, mode, stream); });
}

int hook_vdprintf(int fd, const char* format, va_list arguments) {
  if (!fd_table::has(fd)) return real::vdprintf(fd, format, arguments);
  return print(fd, format, arguments);
}

int hook___vdprintf_chk(int fd, int flag, const char* format, va_list arguments) {
  if (!fd_table::has(fd)) return real::__vdprintf_chk(fd, flag, format, arguments);
  return print(fd, format, arguments);
}

UNBOUND_HOOK(int, dprintf, (int fd, const char* format, ...)) {
  va_list arguments;
  va_start(arguments, format);
  const int result = hook_vdprintf(fd, format, arguments);
  va_end(arguments);
  return result;
}

UNBOUND_HOOK(int, __dprintf_chk, (int fd, int flag, const char* format, ...)) {
  va_list arguments;
  va_start(arguments, format);
  const int result = hook___vdprintf_chk(fd, flag, format, arguments);
  va_end(arguments);
  return result;
}
