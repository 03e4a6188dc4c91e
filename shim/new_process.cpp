#include "shim/new_process.h"

#include "shim/arena.h"
#include "shim/epoll_set.h"
#include "shim/fd_table.h"
#include "shim/listeners.h"
#include "shim/process.h"

namespace gaiter::shim {

namespace {

void forget_parent() {
  arena::after_fork_in_child();
  epoll_after_fork_in_child();
  listeners::after_fork_in_child();
}

}  // namespace

void begin_child() {
  process::after_fork_in_child();
  forget_parent();
  fd_table::thaw_in_child();
}

void meet_new_process() {
  process::after_fork_in_child();
  forget_parent();
  fd_table::adopt_unannounced();
}

}  // namespace gaiter::shim
