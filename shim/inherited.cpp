#include "shim/inherited.h"

#include <cerrno>

#include "shim/adoption.h"
#include "shim/connection.h"
#include "shim/fd_table.h"
#include "shim/open_numbers.h"
#include "shim/relay.h"
#include "shim/relay_end.h"

namespace gaiter::shim {

namespace {

void adopt_relay_end(int fd) {
  if (fd_table::has(fd)) return;
  RelayEnd* const end = RelayEnd::known(fd);
  if (end != nullptr && !fd_table::publish(fd, *end)) end_slot(*end);
}

void adopt_socket(int fd) {
  if (!fd_table::has(fd)) adopt(fd, Arrival::at_start);
}

// libc's streams are there already, and go past every hook.
void serve_standard_stream(int fd) {
  const SlotRef slot = fd_table::find(fd);
  const Connection* const connection = as_connection(slot);
  if (connection == nullptr) return;
  const bool waits_for_connect = !connection->is_protected();
  if (!waits_for_connect && connection->state() != State::failed && move_to_relay(fd) == 0) return;
  put_nothing_behind(fd);
  if (waits_for_connect) fd_table::forget(fd);
}

}  // namespace

void adopt_inherited() {
  const int saved_errno = errno;
  if (RelayEnd::read_environment()) for_each_open_number(adopt_relay_end);
  for_each_open_number(adopt_socket);
  for (int fd = 0; fd <= 2; ++fd) serve_standard_stream(fd);
  errno = saved_errno;
}

}  // namespace gaiter::shim
