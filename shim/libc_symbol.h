// libc's own functions without dlsym(3), which is a hook.
#pragma once

namespace gaiter::shim {

// Where the libc of this process has `name` (its default version); nullptr if it has
// none. Takes the loader's lock, allocates nothing.
void* libc_symbol(const char* name);

// Whether `address` lies in that libc.
bool is_in_libc(const void* address);

}  // namespace gaiter::shim
