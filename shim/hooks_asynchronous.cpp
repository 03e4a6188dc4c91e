// Hooks: input and output that others perform on the program's behalf, past every
// hook. Protected descriptors are refused; programs do without.
#include <dlfcn.h>
#include <linux/aio_abi.h>

#include "shim/decision.h"
#include "shim/hooks.h"
#include "shim/refusal.h"

namespace gaiter::shim {
namespace {

// It may have been opened after real::bind(), for one library alone.
void* find_in_liburing(const char* name) {
  if (void* const found = real::dlsym(RTLD_NEXT, name); found != nullptr) return found;
  void* const library = dlopen("liburing.so.2", RTLD_LAZY | RTLD_NOLOAD);
  return library != nullptr ? real::dlsym(library, name) : nullptr;
}

bool is_protected(int fd) {
  if (!fd_table::has(fd)) return false;
  const Traffic connection(fd);
  return connection || connection.is_refused();
}

int refuse(int error) {
  return refuse_unsupported(error, "asynchronous input or output on a protected connection");
}

template <class Block>
bool any_protected(Block* const* blocks, int count) {
  for (int i = 0; blocks != nullptr && i < count; ++i) {
    if (blocks[i] != nullptr && blocks[i]->aio_lio_opcode != LIO_NOP &&
        is_protected(blocks[i]->aio_fildes)) {
      return true;
    }
  }
  return false;
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_aio_read(aiocb* block) {
  return is_protected(block->aio_fildes) ? refuse(ENOSYS) : real::aio_read(block);
}

int hook_aio_read64(aiocb64* block) {
  return is_protected(block->aio_fildes) ? refuse(ENOSYS) : real::aio_read64(block);
}

int hook_aio_write(aiocb* block) {
  return is_protected(block->aio_fildes) ? refuse(ENOSYS) : real::aio_write(block);
}

int hook_aio_write64(aiocb64* block) {
  return is_protected(block->aio_fildes) ? refuse(ENOSYS) : real::aio_write64(block);
}

int hook_lio_listio(int mode, aiocb* const* blocks, int count, sigevent* event) {
  return any_protected(blocks, count) ? refuse(ENOSYS)
                                      : real::lio_listio(mode, blocks, count, event);
}

int hook_lio_listio64(int mode, aiocb64* const* blocks, int count, sigevent* event) {
  return any_protected(blocks, count) ? refuse(ENOSYS)
                                      : real::lio_listio64(mode, blocks, count, event);
}

// libaio's: no more than the system call, with its errors as the kernel gives them.
UNBOUND_HOOK(int, io_submit, (void* context, long count, void** blocks)) {
  for (long i = 0; blocks != nullptr && i < count; ++i) {
    const auto* const block = static_cast<const iocb*>(blocks[i]);
    if (block != nullptr && is_protected(static_cast<int>(block->aio_fildes))) {
      refuse(EINVAL);
      return -EINVAL;
    }
  }
  const long result = real::syscall(SYS_io_submit, reinterpret_cast<long>(context), count,
                                    reinterpret_cast<long>(blocks), 0, 0, 0);
  return static_cast<int>(result < 0 ? -errno : result);
}

// liburing's, which makes its system calls itself. A ring reads and writes in the
// kernel, past everything; programs take -ENOSYS for a kernel without it.
#define RING_HOOK(name, parameters, ...)                                            \
  UNBOUND_HOOK(int, name, parameters) {                                             \
    if (follows_policy()) return -ENOSYS;                                           \
    auto* const own = reinterpret_cast<int(*) parameters>(find_in_liburing(#name)); \
    return own != nullptr ? own(__VA_ARGS__) : -ENOSYS;                             \
  }

RING_HOOK(io_uring_queue_init, (unsigned entries, void* ring, unsigned flags), entries, ring, flags)
RING_HOOK(io_uring_queue_init_params, (unsigned entries, void* ring, void* parameters), entries,
          ring, parameters)
RING_HOOK(io_uring_queue_init_mem,
          (unsigned entries, void* ring, void* parameters, void* memory, size_t size), entries,
          ring, parameters, memory, size)
RING_HOOK(io_uring_setup, (unsigned entries, void* parameters), entries, parameters)
