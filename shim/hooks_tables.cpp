// Hooks: what parts a descriptor table from the memory that knows its numbers, and what brings a
// descriptor from another table.
//
// A thread with a table of its own, or a child that has the table and not the memory (or the
// memory and not the table), would write on numbers that nobody here can know. It is refused
// where a policy has rules.
#include "shim/parted_tables.h"

#include <dlfcn.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/stat.h>

#include "shim/adoption.h"
#include "shim/decision.h"
#include "shim/hooks.h"
#include "shim/process.h"
#include "shim/refusal.h"

extern "C" char __libc_single_threaded;  // <sys/single_threaded.h> declares it with attributes

namespace gaiter::shim {
namespace {

// Whether other threads use this one's table. In a child of vfork they do not.
bool table_is_shared() {
  if (__libc_single_threaded || process::memory_is_borrowed()) return false;
  struct stat tasks;
  // Its links: itself, its parent, and one a thread.
  return stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink > 3;
}

int refuse_parting(const char* what) { return refuse_unsupported(EPERM, what); }

}  // namespace

int refuse_parted_clone(unsigned long flags) {
  const bool memory = (flags & CLONE_VM) != 0;
  const bool table = (flags & CLONE_FILES) != 0;
  if (memory == table || (memory && (flags & CLONE_VFORK) != 0) || !has_rules()) return 0;
  return refuse_parting(memory ? "clone with CLONE_VM and without CLONE_FILES"
                               : "clone with CLONE_FILES and without CLONE_VM");
}

int refuse_parted_close_range(int flags) {
  if ((flags & CLOSE_RANGE_UNSHARE) == 0 || !table_is_shared() || !has_rules()) return 0;
  return refuse_parting("close_range with CLOSE_RANGE_UNSHARE in a program with threads");
}

}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_unshare(int flags) {
  if ((flags & CLONE_FILES) != 0 && table_is_shared() && has_rules())
    return refuse_parting("unshare of CLONE_FILES in a program with threads");
  return real::unshare(flags);
}

int hook_pidfd_getfd(int process, int fd, unsigned flags) {
  const int got = real::pidfd_getfd(process, fd, flags);
  if (got >= 0) adopt(got, Arrival::by_pidfd);
  return got;
}

// The last three are there if the flags say so; what is not there is not looked at either.
UNBOUND_HOOK(int, clone, (int (*run)(void*), void* stack, int flags, void* argument, ...)) {
  va_list list;
  va_start(list, argument);
  void* const parent_id = va_arg(list, void*);
  void* const storage = va_arg(list, void*);
  void* const child_id = va_arg(list, void*);
  va_end(list);
  if (refuse_parted_clone(static_cast<unsigned>(flags)) != 0) return -1;
  using Clone = int (*)(int (*)(void*), void*, int, void*, ...);
  static constinit std::atomic<void*> next = nullptr;
  void* found = next.load();
  if (found == nullptr) next.store(found = real::dlsym(RTLD_NEXT, "clone"));
  if (found == nullptr) return fail_with(ENOSYS);
  return reinterpret_cast<Clone>(found)(run, stack, flags, argument, parent_id, storage, child_id);
}
