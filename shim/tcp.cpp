#include "shim/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "shim/real.h"

namespace gaiter::shim {

namespace {

bool is_tcp_protocol(int protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP || protocol == protocol_smc;
}

}  // namespace

bool is_tcp(int fd) {
  int protocol = 0;
  socklen_t length = sizeof protocol;
  if (real::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0) return false;
  if (is_tcp_protocol(protocol)) return true;
  // SMC's own protocols: over IPv4 and IPv6.
  if (protocol != 0 && protocol != 1) return false;
  int domain = 0;
  length = sizeof domain;
  return real::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == family_smc;
}

bool makes_tcp(int domain, int type, int protocol) {
  if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return false;
  if (domain == family_smc) return true;
  return (domain == AF_INET || domain == AF_INET6) && (protocol == 0 || is_tcp_protocol(protocol));
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

uint64_t socket_cookie(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return real::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

}  // namespace gaiter::shim
