#include "shim/relay_end.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "shim/real.h"

namespace gaiter::shim {

RelayEnd* RelayEnd::make(int fd) {
  void* const memory = arena::allocate(arena::Block::slot);
  if (memory == nullptr) return nullptr;
  auto* const end = new (memory) RelayEnd;
  socklen_t length = sizeof end->local;
  real::getsockname(fd, reinterpret_cast<sockaddr*>(&end->local), &length);
  length = sizeof end->remote;
  real::getpeername(fd, reinterpret_cast<sockaddr*>(&end->remote), &length);
  return end;
}

int give_address(const sockaddr_in6& address, sockaddr* to, socklen_t* length) {
  if (to == nullptr || length == nullptr) {
    errno = EFAULT;
    return -1;
  }
  const socklen_t whole =
      address.sin6_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(to, &address, std::min(*length, whole));
  *length = whole;
  return 0;
}

}  // namespace gaiter::shim
