#include "base/tcp_sockets.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace gaiter::base {

namespace {

using Visit = bool (*)(const TcpSocket& socket, void* context);

int option(int fd, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

uint16_t local_port(int fd) {
  sockaddr_in6 address{};  // or a sockaddr_in: the port is at the same place
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin6_port);
}

bool is_connected(int fd) {
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

// False: enough.
bool look_at(int fd, Visit visit, void* context) {
  const int flags = fcntl(fd, F_GETFD);
  if (flags < 0 || (flags & FD_CLOEXEC) != 0) return true;
  const int protocol = option(fd, SO_PROTOCOL);
  const bool is_tcp = protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
  if (!is_tcp && (protocol < 0 || option(fd, SO_DOMAIN) != AF_SMC)) return true;
  TcpSocket socket{fd, TcpSocket::Use::unconnected, local_port(fd)};
  if (option(fd, SO_ACCEPTCONN) > 0) {
    socket.use = TcpSocket::Use::listening;
  } else if (is_connected(fd)) {
    socket.use = TcpSocket::Use::connected;
  }
  return visit(socket, context);
}

int number_of(const char* name) {
  int number = 0;
  for (; *name >= '0' && *name <= '9'; ++name) number = number * 10 + (*name - '0');
  return *name == '\0' ? number : -1;  // "." and ".."
}

void visit_numbers(Visit visit, void* context) {
  constexpr rlim_t highest = 65'536;
  rlimit limit{highest, 0};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int end = static_cast<int>(std::min(limit.rlim_cur, highest));
  for (int fd = 0; fd < end; ++fd) {
    if (!look_at(fd, visit, context)) return;
  }
}

}  // namespace

void visit_inherited_tcp(Visit visit, void* context) {
  const int saved_errno = errno;
  const int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    visit_numbers(visit, context);
    errno = saved_errno;
    return;
  }
  alignas(dirent64) char entries[1024];  // readdir(3) would allocate
  bool more = true;
  long got;
  while (more && (got = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
    for (long at = 0; more && at < got;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(entries + at);
      at += entry->d_reclen;
      const int fd = number_of(entry->d_name);
      if (fd >= 0 && fd != folder) more = look_at(fd, visit, context);
    }
  }
  close(folder);
  errno = saved_errno;
}

}  // namespace gaiter::base
