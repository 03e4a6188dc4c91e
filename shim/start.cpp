#include "shim/start.h"

#include <pthread.h>

#include "shim/awaited.h"
#include "shim/connection.h"
#include "shim/core.h"
#include "shim/exec_environment.h"
#include "shim/fd_table.h"
#include "shim/front.h"
#include "shim/inherited.h"
#include "shim/live.h"
#include "shim/log.h"
#include "shim/log_sums.h"
#include "shim/names.h"
#include "shim/new_process.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/travels.h"

namespace gaiter::shim {

namespace {

// Hooks may be called before this (other constructors) and after end() (other
// destructors): both only add what single calls cannot know.
[[gnu::constructor]] void start() {
  real::bind();
  process::start();
  log::start();
  core::start();
  exec_environment::start();
  front::start();
  travels::start();
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  awaited::start();
  adopt_inherited();
}

[[gnu::destructor]] void end() { end_process(); }

}  // namespace

// In this order, and back: who makes a rule's context uses the engine, and both may
// touch the table.
void before_fork() {
  live::before_fork();
  core::before_fork();
  names::before_fork();
  fd_table::freeze_for_fork();
}

void after_fork_in_parent() {
  fd_table::thaw_in_parent();
  core::after_fork_in_parent();
  live::after_fork_in_parent();
}

// What no thread here will finish ends at once, and that takes the locks of all others.
void after_fork_in_child() {
  core::after_fork_in_child();
  live::after_fork_in_child();
  begin_child();
}

void end_process() {
  if (process::memory_is_borrowed()) return;
  log::write_last_sums();
  awaited::end();
  // Closed here and not by the kernel: others may hold these connections too, and
  // count on those that are gone not to be counted.
  int64_t now = process::now();
  fd_table::for_each(
      [](int fd, Slot& slot, void* context) {
        if (slot.kind() != Kind::connection) return;
        auto& connection = static_cast<Connection&>(slot);
        if (!connection.is_protected()) return;
        if (is_last_descriptor(slot)) connection.part(fd, *static_cast<int64_t*>(context));
        if (fd_table::withdraw(fd) == nullptr) return;
        real::close(fd);
        fd_table::settle(fd);
        leave(slot, Slot::descriptor);
      },
      &now);
}

}  // namespace gaiter::shim
