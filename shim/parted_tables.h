// Calls by which memory and descriptor table would part (hooks_tables.cpp).
#pragma once

namespace gaiter::shim {

// 0, or -1 with EPERM once the log was told: a clone(2) with these flags gives a process with
// our memory and another table, or the other way round. vfork's child is another matter: the
// caller waits for it (process::memory_is_borrowed()).
int refuse_parted_clone(unsigned long flags);

// The same of close_range(2).
int refuse_parted_close_range(int flags);

}  // namespace gaiter::shim
