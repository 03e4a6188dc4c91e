// Apart from tcp.cpp: <netinet/tcp.h> has an older tcp_info.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

#include "shim/real.h"
#include "shim/tcp.h"

namespace gaiter::shim {

bool has_carried(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  int waiting = 0;
  if (real::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
      length < offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent ||
      real::ioctl(fd, FIONREAD, &waiting) != 0) {
    return false;
  }
  // A FIN counts as a byte.
  const uint64_t end = has_sent_fin(fd) ? 1 : 0;
  return info.tcpi_bytes_sent != 0 ||
         info.tcpi_bytes_received > static_cast<uint64_t>(waiting) + end;
}

}  // namespace gaiter::shim
