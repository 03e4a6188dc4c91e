#include "shim/tcp.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "shim/real.h"

namespace gaiter::shim {

bool is_tcp(int fd) {
  int protocol = 0;
  socklen_t length = sizeof protocol;
  return real::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
         (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

}  // namespace gaiter::shim
