// Parts of the kernel that take a socket for themselves and then read and write it past every
// hook: what they write on a protected connection would be clear, what they read ciphertext.
// As of Linux 6.1 (include/uapi):
//
//   ioctl(2) NBD_SET_SOCK     the network block device's client      refused here
//   ioctl(2) SIOCKCMATTACH    the kernel connection multiplexor      refused here
//   bpf(2)   sockmaps         BPF_MAP_UPDATE_ELEM and its batch      refused here
//   setsockopt(2) TCP_ULP     kernel TLS, espintcp, SMC              refused by hook_setsockopt
//   io_uring_setup(2)                                                refused by hook_syscall
//
// By mount(2) (9P's trans=fd), netlink (iSCSI) and sysfs (USB/IP) root alone can hand one over.
// They are no calls that a program under Gaiter is known to make, and are not seen.
//
// Thread-safe and async-signal-safe; errno is kept but on refusal.
#pragma once

#include <cstddef>

namespace gaiter::shim::kernel_users {

// Whether the call would hand a protected connection over: then errno is EACCES and the log has
// been told.
bool refuses_ioctl(unsigned long request, const void* argument);
bool refuses_bpf(long command, void* attributes, size_t size);

}  // namespace gaiter::shim::kernel_users
