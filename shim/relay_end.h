// The program's end of a relay (relay.h), while the program goes on: it answers
// for the TCP socket that it stands for.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <type_traits>

#include "shim/arena.h"
#include "shim/slot.h"

namespace gaiter::shim {

struct RelayEnd : Slot {
  RelayEnd() : Slot(Kind::relay_end) {}

  // Remembers the addresses of the connection behind `fd`. nullptr: no memory.
  static RelayEnd* make(int fd);

  // Another program image may go on with an end. What it stands for is told in the
  // environment, GAITER_RELAYED: of the latest relays, the cookie (SO_COOKIE) of the
  // program's end and the two addresses, in hexadecimal digits.
  //
  // remember(): `end` stands for `fd`. Works in a vfork child.
  static void remember(int end, int fd);
  // The variable, "NAME=value", for exec; nullptr if there is nothing to tell. `room`
  // has environment_size bytes.
  static constexpr size_t environment_size = 4096;
  static char* write_environment(char* room);
  // At start: whether it told of any; and who `fd` is by it. nullptr: unknown.
  static bool read_environment();
  static RelayEnd* known(int fd);

  sockaddr_in6 local{};  // or a sockaddr_in each
  sockaddr_in6 remote{};
};
static_assert(sizeof(RelayEnd) <= arena::slot_size);

inline const RelayEnd* as_relay_end(const SlotRef& slot) {
  return slot && slot.get()->kind() == Kind::relay_end ? static_cast<const RelayEnd*>(slot.get())
                                                       : nullptr;
}

// As getsockname(2) and getpeername(2) give `address` to a caller, who asked for it of `fd`.
int give_address(int fd, const sockaddr_in6& address, sockaddr* to, socklen_t* length);

}  // namespace gaiter::shim
