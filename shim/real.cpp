#include "shim/real.h"

#include <dlfcn.h>

#include <cerrno>
#include <type_traits>

#include "shim/libc_symbol.h"

namespace gaiter::shim::real {

namespace {

thread_local bool binding = false;

template <class T>
long word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<long>(value);
  } else {
    return 0;  // a va_list that is a struct: never part of a system call
  }
}

long raw_system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                     long f = 0) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
#error "Gaiter knows x86-64 and aarch64"
#endif
}

// What serves for a function that libc lacks, and for all of them while bind()
// runs: the system call, or ENOSYS.
template <class Returns, class... Arguments>
Returns without_libc(long number, Arguments... arguments) {
  long result = -ENOSYS;
  if constexpr (sizeof...(Arguments) <= 6) {
    if (number != NO_SYSCALL) result = raw_system_call(number, word(arguments)...);
  }
  if (result < 0 && result >= -4095) {
    errno = static_cast<int>(-result);
    result = -1;
  }
  if constexpr (std::is_pointer_v<Returns>) {
    return nullptr;
  } else if constexpr (!std::is_void_v<Returns>) {
    return static_cast<Returns>(result);
  }
}

}  // namespace

#define STRIP(...) __VA_ARGS__
#define HOOK(returns, name, parameters, arguments, number)            \
  static returns absent_##name parameters {                           \
    return without_libc<returns>(ARGUMENTS(number, STRIP arguments)); \
  }                                                                   \
  static returns boot_##name parameters {                             \
    if (binding) return absent_##name arguments;                      \
    bind();                                                           \
    return name arguments;                                            \
  }                                                                   \
  constinit decltype(&boot_##name) name = boot_##name;
#define ARGUMENTS(number, ...) number __VA_OPT__(, ) __VA_ARGS__
#define UNBOUND(returns, name)
#define ALIAS(name, of)
#include "shim/symbols.def"
#undef HOOK
#undef UNBOUND
#undef ALIAS

void bind() {
  if (binding) return;
  const int saved_errno = errno;
  binding = true;
  // These first: the allocator that they call may itself look something up meanwhile.
  void* const finder = libc_symbol("dlsym");
  dlsym = finder != nullptr ? reinterpret_cast<decltype(dlsym)>(finder) : absent_dlsym;
#define HOOK(returns, name, parameters, arguments, number)       \
  if (void* found = dlsym(RTLD_NEXT, #name); found != nullptr) { \
    name = reinterpret_cast<returns(*) parameters>(found);       \
  } else {                                                       \
    name = absent_##name;                                        \
  }
#define UNBOUND(returns, name)
#define ALIAS(name, of)
#include "shim/symbols.def"
#undef HOOK
#undef UNBOUND
#undef ALIAS
  binding = false;
  errno = saved_errno;
}

}  // namespace gaiter::shim::real
