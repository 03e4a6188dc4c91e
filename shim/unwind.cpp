// Cancellation (pthread_cancel) unwinds through our hooks by the process's own
// libgcc_s, which libc opens for it. A context of that unwinder must be read by
// its functions and no others: a static copy inside this library would abort on
// it. So what the C++ runtime asks of an unwinder is forwarded.
#include <dlfcn.h>
#include <unwind.h>

#include <atomic>
#include <cstdlib>

#include "shim/real.h"

namespace {

void* resolve(std::atomic<void*>& known, const char* name) {
  void* found = known.load(std::memory_order_acquire);
  if (found != nullptr) return found;
  // Open already if an unwinding brought us here; else an exception is thrown.
  void* const library = dlopen("libgcc_s.so.1", RTLD_NOW);
  found = library != nullptr ? gaiter::shim::real::dlsym(library, name) : nullptr;
  if (found == nullptr) std::abort();
  known.store(found, std::memory_order_release);
  return found;
}

}  // namespace

#define FORWARD(returns, name, parameters, arguments)                                \
  extern "C" returns name parameters {                                               \
    static constinit std::atomic<void*> known = nullptr;                             \
    return reinterpret_cast<returns(*) parameters>(resolve(known, #name)) arguments; \
  }

FORWARD(_Unwind_Reason_Code, _Unwind_RaiseException, (_Unwind_Exception * exception), (exception))
FORWARD(_Unwind_Reason_Code, _Unwind_Resume_or_Rethrow, (_Unwind_Exception * exception),
        (exception))
FORWARD(void, _Unwind_Resume, (_Unwind_Exception * exception), (exception))
FORWARD(void, _Unwind_DeleteException, (_Unwind_Exception * exception), (exception))
FORWARD(void, _Unwind_SetGR, (_Unwind_Context * context, int index, _Unwind_Word value),
        (context, index, value))
FORWARD(void, _Unwind_SetIP, (_Unwind_Context * context, _Unwind_Ptr value), (context, value))
FORWARD(_Unwind_Ptr, _Unwind_GetIPInfo, (_Unwind_Context * context, int* before), (context, before))
FORWARD(void*, _Unwind_GetLanguageSpecificData, (_Unwind_Context * context), (context))
FORWARD(_Unwind_Ptr, _Unwind_GetRegionStart, (_Unwind_Context * context), (context))
FORWARD(_Unwind_Ptr, _Unwind_GetDataRelBase, (_Unwind_Context * context), (context))
FORWARD(_Unwind_Ptr, _Unwind_GetTextRelBase, (_Unwind_Context * context), (context))
