// The descriptors in a message's control data (SCM_RIGHTS, unix(7)).
#pragma once

#include <sys/socket.h>

#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shim/memory.h"

namespace gaiter::shim {

// Calls visit(fd) for each until it says false; whether none did. What is malformed ends the
// look: the kernel refuses such a message.
template <class Visit>
bool for_each_passed(const msghdr& message, Visit visit) {
  if (message.msg_controllen == 0 || message.msg_controllen > INT_MAX ||
      !memory::can_read(message.msg_control, message.msg_controllen)) {
    return true;
  }
  const auto* const end = static_cast<const uint8_t*>(message.msg_control) + message.msg_controllen;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
    const auto room = static_cast<size_t>(end - reinterpret_cast<const uint8_t*>(part));
    if (part->cmsg_len < CMSG_LEN(0) || part->cmsg_len > room) return true;
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (!visit(fd)) return false;
    }
  }
  return true;
}

}  // namespace gaiter::shim
