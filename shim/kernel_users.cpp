#include "shim/kernel_users.h"

#include <linux/bpf.h>
#include <linux/kcm.h>
#include <linux/nbd.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "shim/hooks.h"
#include "shim/memory.h"
#include "shim/refusal.h"

namespace gaiter::shim::kernel_users {

namespace {

bool refuses(int fd, const char* why) {
  const int saved_errno = errno;
  const Protected connection(fd);
  if (!connection) {
    errno = saved_errno;
    return false;
  }
  refuse_unsupported(EACCES, why);
  return true;
}

// The size of the values of a map of sockets; 0: the map is none.
size_t size_of_sockets(uint32_t map) {
  bpf_map_info info{};
  bpf_attr attributes{};
  attributes.info.bpf_fd = map;
  attributes.info.info_len = sizeof info;
  attributes.info.info = reinterpret_cast<uint64_t>(&info);
  const int saved_errno = errno;
  const long known = real::syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD,
                                   reinterpret_cast<long>(&attributes), sizeof attributes, 0, 0, 0);
  errno = saved_errno;
  const bool is_one = info.type == BPF_MAP_TYPE_SOCKMAP || info.type == BPF_MAP_TYPE_SOCKHASH;
  return known == 0 && is_one ? info.value_size : 0;
}

// A value begins with the descriptor's number.
bool refuses_values(uint32_t map, uint64_t address, size_t count) {
  const size_t size = size_of_sockets(map);
  const auto* value = reinterpret_cast<const uint8_t*>(address);
  for (; size != 0 && count != 0; --count, value += size) {
    int fd;
    if (!memory::can_read(value, sizeof fd)) return false;  // the kernel will say EFAULT
    std::memcpy(&fd, value, sizeof fd);
    if (refuses(fd, "a protected connection was to go into a sockmap")) return true;
  }
  return false;
}

}  // namespace

bool refuses_ioctl(unsigned long request, const void* argument) {
  if (request == NBD_SET_SOCK) {
    const auto fd = static_cast<int>(reinterpret_cast<intptr_t>(argument));
    return refuses(fd, "a protected connection was to become a network block device's");
  }
  if (request == SIOCKCMATTACH) {
    kcm_attach attach;
    if (!memory::can_read(argument, sizeof attach)) return false;  // the kernel will say EFAULT
    std::memcpy(&attach, argument, sizeof attach);
    return refuses(attach.fd, "a protected connection was to become the kernel multiplexor's");
  }
  return false;
}

bool refuses_bpf(long command, void* attributes, size_t size) {
  if (command != BPF_MAP_UPDATE_ELEM && command != BPF_MAP_UPDATE_BATCH) return false;
  bpf_attr given{};
  if (size > sizeof given) size = sizeof given;
  if (!memory::can_read(attributes, size)) return false;
  std::memcpy(&given, attributes, size);
  return command == BPF_MAP_UPDATE_ELEM
             ? refuses_values(given.map_fd, given.value, 1)
             : refuses_values(given.batch.map_fd, given.batch.values, given.batch.count);
}

}  // namespace gaiter::shim::kernel_users
