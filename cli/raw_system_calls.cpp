#include "cli/raw_system_calls.h"

#include <sys/syscall.h>

#include <cstdint>
#include <cstring>
#include <iterator>

namespace gaiter::cli {
namespace {

// Those that can carry bytes of a connection, or change what a number leads to.
struct Call {
  long number;
  const char* name;
};
constexpr Call calls[] = {
#define CALL(name) \
  { SYS_##name, #name }
    CALL(read),     CALL(write),    CALL(readv),    CALL(writev),         CALL(recvfrom),
    CALL(sendto),   CALL(recvmsg),  CALL(sendmsg),  CALL(recvmmsg),       CALL(sendmmsg),
    CALL(sendfile), CALL(splice),   CALL(connect),  CALL(accept),         CALL(accept4),
    CALL(close),    CALL(dup),      CALL(dup3),     CALL(io_uring_setup), CALL(io_submit),
    CALL(preadv2),  CALL(pwritev2), CALL(shutdown), CALL(ppoll),          CALL(epoll_pwait),
#ifdef __x86_64__
    CALL(dup2),     CALL(poll),     CALL(select),   CALL(epoll_wait),
#endif
#undef CALL
};
constexpr const char* number_in_register = "any";

const char* name_of(uint32_t number) {
  for (const Call& call : calls) {
    if (call.number == static_cast<long>(number)) return call.name;
  }
  return nullptr;
}

#if defined(__x86_64__)

constexpr std::string_view instruction = "\x0f\x05";  // syscall
constexpr size_t look_back = 32;

unsigned byte(std::string_view code, size_t at) { return static_cast<unsigned char>(code[at]); }

// The same two bytes within the distance of a jump or an address, which is a small
// number: zeros, or ones if negative, follow. Real code goes on with an instruction.
bool is_part_of_a_distance(std::string_view code, size_t at) {
  if (at + 4 > code.size()) return true;
  const unsigned next = byte(code, at + 2);
  if (next == 0x00 || next == 0xff) return true;
  // Right behind a call, a jump or a test of a number; 89 e8 moves a register.
  const unsigned before = at >= 2 ? byte(code, at - 1) : 0;
  if ((before == 0xe8 || before == 0xe9 || before == 0xa9) && byte(code, at - 2) != 0x89)
    return true;
  const unsigned after = byte(code, at + 3);
  const bool takes_a_number = next == 0x3d || next == 0xb8;  // cmp, mov
  return (after == 0x00 || after == 0xff) && !takes_a_number;
}

// What sets rax nearest before `at`: its name, "any", or nullptr for none that
// matters. A syscall that nothing sets rax for is taken for data.
const char* call_at(std::string_view code, size_t at) {
  if (is_part_of_a_distance(code, at)) return nullptr;
  const size_t first = at > look_back ? at - look_back : 0;
  for (size_t i = at; i-- > first;) {
    const unsigned opcode = byte(code, i);
    if (opcode == 0xb8 && i + 5 <= at) {  // mov $imm32, %eax
      uint32_t number;
      std::memcpy(&number, code.data() + i + 1, sizeof number);
      if (number < 1024) return name_of(number);
    }
    if (opcode == 0x31 && i + 2 <= at && byte(code, i + 1) == 0xc0) return name_of(0);  // xor
    // mov %r64, %rax or mov %r32, %eax with a REX prefix or without
    if (opcode == 0x89 && i + 2 <= at && (byte(code, i + 1) & 0xc7) == 0xc0)
      return number_in_register;
  }
  return nullptr;
}

#elif defined(__aarch64__)

constexpr std::string_view instruction("\x01\x00\x00\xd4", 4);  // svc #0
constexpr size_t look_back = 64;

uint32_t word(std::string_view code, size_t at) {
  uint32_t value;
  std::memcpy(&value, code.data() + at, sizeof value);
  return value;
}

// As above, of x8.
const char* call_at(std::string_view code, size_t at) {
  if (at % 4 != 0) return nullptr;
  const size_t first = at > look_back ? at - look_back : 0;
  for (size_t i = at; i > first; i -= 4) {
    const uint32_t before = word(code, i - 4);
    if ((before & 0xff80001f) == 0x52800008 || (before & 0xff80001f) == 0xd2800008)
      return name_of(before >> 5 & 0xffff);                              // mov x8, #imm16
    if ((before & 0x7fe0ffff) == 0x2a0003e8) return number_in_register;  // mov x8, xN
  }
  return nullptr;
}

#endif

}  // namespace

std::set<std::string> find_raw_system_calls(std::string_view code) {
  std::set<std::string> found;
  for (size_t at = code.find(instruction); at != code.npos; at = code.find(instruction, at + 1)) {
    if (const char* const name = call_at(code, at); name != nullptr) found.insert(name);
  }
  return found;
}

}  // namespace gaiter::cli
