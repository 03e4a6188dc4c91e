// libc's own functions: `real::recv(...)` is libc's recv, whatever the program
// or another preload calls by that name.
//
// Callable at any time, also before any constructor ran: the first call binds
// all of them. While binding itself calls back (dlsym may allocate, an allocator
// may read files), the bare system call serves. Async-signal-safe once bound.
#pragma once

#include "shim/libc_types.h"

namespace gaiter::shim::real {

#define HOOK(returns, name, parameters, arguments, number) extern returns(*name) parameters;
#define UNBOUND(returns, name)
#define ALIAS(name, of)
#include "shim/symbols.def"
#undef HOOK
#undef UNBOUND
#undef ALIAS

// Binds everything now. Idempotent.
void bind();

}  // namespace gaiter::shim::real
