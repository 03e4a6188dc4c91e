#include "shim/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "shim/real.h"

namespace gaiter::shim {

bool is_tcp(int fd) {
  int protocol = 0;
  socklen_t length = sizeof protocol;
  return real::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
         (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

uint8_t tcp_state(int fd) {
  uint8_t state = TCP_CLOSE;  // the first member of tcp_info
  socklen_t length = sizeof state;
  real::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length);
  return state;
}

bool has_sent_fin(int fd) {
  const uint8_t state = tcp_state(fd);
  return state != TCP_ESTABLISHED && state != TCP_FIN_WAIT1 && state != TCP_FIN_WAIT2;
}

}  // namespace gaiter::shim
