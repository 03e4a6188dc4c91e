#include "base/tcp_filter.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace gaiter::base {

namespace {

constexpr uint32_t io_uring_setup = 425;  // the same on every machine (since Linux 5.1)
constexpr uint32_t pidfd_getfd = 438;
constexpr uint32_t type_mask = 0xf;  // of socket(2)'s type, without SOCK_CLOEXEC and such

struct Numbers {
  uint32_t architecture;
  uint32_t socket, connect, listen, sendto, sendmsg, sendmmsg;
  uint32_t socketcall;  // 0 = there is none
};

#if defined(__x86_64__)
constexpr Numbers own{AUDIT_ARCH_X86_64, SYS_socket,  SYS_connect,  SYS_listen,
                      SYS_sendto,        SYS_sendmsg, SYS_sendmmsg, 0};
constexpr Numbers narrow{AUDIT_ARCH_I386, 359, 362, 363, 369, 370, 345, 102};
// x32: the numbers of x86-64 with a bit set, but for a few of its own.
constexpr uint32_t x32_bit = 0x4000'0000;
constexpr uint32_t x32_sendmsg = 518, x32_sendmmsg = 538;
#elif defined(__aarch64__)
constexpr Numbers own{AUDIT_ARCH_AARCH64, SYS_socket,  SYS_connect,  SYS_listen,
                      SYS_sendto,         SYS_sendmsg, SYS_sendmmsg, 0};
constexpr Numbers narrow{AUDIT_ARCH_ARM, 281, 283, 284, 290, 296, 374, 102};
#endif

constexpr sock_filter denied = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES);
constexpr sock_filter allowed = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

constexpr sock_filter load(size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
}
constexpr sock_filter load_number() { return load(offsetof(seccomp_data, nr)); }
// Its lower half, which is all that the kernel takes of an int; all machines that the
// library is built for have it first.
constexpr sock_filter load_argument(unsigned number) {
  return load(offsetof(seccomp_data, args) + number * sizeof(uint64_t));
}

// A program in the making, on the stack.
class Program {
 public:
  void add(sock_filter instruction) { code_[size_++] = instruction; }
  // If the accumulator is `value`, the next `count` instructions are done, else skipped.
  void if_equal(uint32_t value, uint8_t count) {
    add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count));
  }
  void if_any_of(uint32_t bits, uint8_t count) {
    add(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, count));
  }
  void deny_if_equal(uint32_t value) {
    if_equal(value, 1);
    add(denied);
  }

  // Decides about all calls of one kind of numbers.
  void decide(const Numbers& numbers, Inherited inherited) {
    add(load_number());
#ifdef __x86_64__
    if (&numbers == &own) add(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~x32_bit));
#endif
    deny_if_equal(io_uring_setup);
    deny_if_equal(pidfd_getfd);
    if (numbers.socketcall != 0) deny_if_equal(numbers.socketcall);
    if (inherited == Inherited::clear_tcp) deny_another_peer(numbers);
    if_equal(numbers.socket, socket_length);
    decide_socket();
    add(allowed);
  }

  // What stands at `place` leads to `target` if the accumulator is `architecture`.
  void lead_to(uint32_t architecture, uint16_t place, uint16_t target) {
    code_[place] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture,
                            static_cast<uint8_t>(target - place - 1), 0);
  }

  uint16_t size() const { return size_; }

  int install() {
    const sock_fprog program{size_, code_};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0 ? 0 : errno;
  }

 private:
  void deny_another_peer(const Numbers& numbers) {
    deny_if_equal(numbers.connect);
    deny_if_equal(numbers.listen);
    deny_fast_open(numbers.sendto, 3);
    deny_fast_open(numbers.sendmsg, 2);
    deny_fast_open(numbers.sendmmsg, 3);
#ifdef __x86_64__
    if (&numbers != &own) return;
    deny_fast_open(x32_sendmsg, 2);
    deny_fast_open(x32_sendmmsg, 3);
#endif
  }

  // Goes on with the number in the accumulator where the call is another one.
  void deny_fast_open(uint32_t number, unsigned flags) {
    if_equal(number, 4);
    add(load_argument(flags));
    if_any_of(MSG_FASTOPEN, 1);
    add(denied);
    add(allowed);
  }

  static constexpr uint8_t socket_length = 12;
  void decide_socket() {
    add(load_argument(0));
    deny_if_equal(AF_SMC);
    deny_if_equal(AF_RDS);
    add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0));
    add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 4));
    add(load_argument(1));
    add(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, type_mask));
    deny_if_equal(SOCK_STREAM);
    add(allowed);
  }

  sock_filter code_[160];
  uint16_t size_ = 0;
};

}  // namespace

int deny_tcp(Inherited inherited) {
  Program program;
  program.add(load(offsetof(seccomp_data, arch)));
  const uint16_t to_own = program.size();
  program.add(denied);
  const uint16_t to_narrow = program.size();
  program.add(denied);
  program.add(denied);  // whoever calls by yet other numbers
  program.lead_to(narrow.architecture, to_narrow, program.size());
  program.decide(narrow, inherited);
  program.lead_to(own.architecture, to_own, program.size());
  program.decide(own, inherited);
  const int error = program.install();
  if (error != EACCES) return error;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return program.install();
}

bool leaves_rights() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  return syscall(SYS_capget, &header, sets) == 0 &&
         (sets[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

}  // namespace gaiter::base
