#include "shim/behind.h"

#include <dlfcn.h>

#include <atomic>
#include <cerrno>

#include "shim/libc_symbol.h"
#include "shim/log.h"
#include "shim/real.h"

namespace gaiter::shim::behind {

namespace {

constinit thread_local Call* innermost = nullptr;

const void* next_connect() { return reinterpret_cast<const void*>(real::connect); }

const char* next_library() {
  Dl_info info;
  return dladdr(next_connect(), &info) != 0 && info.dli_fname != nullptr ? info.dli_fname
                                                                         : "another library";
}

bool next_is_libc() {
  static constinit std::atomic<const void*> known = nullptr;
  const void* const next = next_connect();
  if (known.load(std::memory_order_relaxed) == next) return true;
  if (!is_in_libc(next)) return false;
  known.store(next, std::memory_order_relaxed);
  return true;
}

}  // namespace

Call::Call() : outer_(innermost), is_libcs_(next_is_libc()) {
  if (!is_libcs_) innermost = this;
}

Call::~Call() {
  if (!is_libcs_) innermost = outer_;
}

bool refuses_dialogue() {
  Call* const call = innermost;
  if (call == nullptr) [[likely]]
    return false;
  // Left by a longjmp: its frame lies below ours.
  if (static_cast<const void*>(call) < __builtin_frame_address(0)) return false;
  if (!call->refused_) {
    call->refused_ = true;
    log::line(log::Level::warning,
              "refused cause=interposed errno=EACCES reason=\"{} speaks to somebody itself inside "
              "connect, in clear\" advice=\"leave it out of LD_PRELOAD for this program\"",
              next_library());
  }
  errno = EACCES;
  return true;
}

bool turns_sockets() { return !next_is_libc(); }

void log_turned() {
  log::line(log::Level::warning,
            "refused cause=interposed errno=EACCES reason=\"the connect of {} has made something "
            "else of the socket\" advice=\"leave it out of LD_PRELOAD for this program\"",
            next_library());
}

}  // namespace gaiter::shim::behind
