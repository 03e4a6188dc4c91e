// What a program gives as the address of something. The kernel would say EFAULT of memory that
// may not be touched; so must a hook that reads or writes there itself, and not end the program.
//
// Async-signal-safe and thread-safe; errno is kept. The kernel is asked once a page and the
// answer remembered: a page that the program takes away later, and gives all the same, still
// ends it. Only the first and the last page of a piece are looked at.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace gaiter::shim {

// False for pointers that no kernel would take: null and its neighbours, and what lies
// above a program's memory.
inline bool may_be_memory(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  return address >= 4096 && address < uintptr_t{1} << 56;
}

namespace memory {

constexpr size_t page_size = 4096;  // the smallest there is

// What callers' frames hold is there: nobody need be asked.
[[gnu::always_inline]] inline bool is_on_stack(const void* pointer, size_t length) {
  constexpr size_t near = 32 << 10;
  const auto from_here = reinterpret_cast<uintptr_t>(pointer) -
                         reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return length < near && from_here < near - length;
}

bool can_read_apart(const void* pointer, size_t length);

// Whether `length` bytes can be read there.
inline bool can_read(const void* pointer, size_t length) {
  return length == 0 || is_on_stack(pointer, length) || can_read_apart(pointer, length);
}

template <class T>
bool can_read(const T* value) {
  return can_read(value, sizeof *value);
}

// How many of `length` bytes can be read from there on.
size_t readable(const void* pointer, size_t length);

// Whether a byte can be written there. `socket` is any socket, by which the kernel is asked.
bool can_write(int socket, void* pointer);

}  // namespace memory
}  // namespace gaiter::shim
