// What a program gives as the address of something.
#pragma once

#include <cstdint>

namespace gaiter::shim {

// False for pointers that no kernel would take: null and its neighbours, and what lies
// above a program's memory. What lies between is read as the program gave it.
inline bool may_be_memory(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  return address >= 4096 && address < uintptr_t{1} << 56;
}

}  // namespace gaiter::shim
