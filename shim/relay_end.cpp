#include "shim/relay_end.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>

#include "shim/memory.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

constexpr char variable[] = "GAITER_RELAYED=";

struct Known {
  uint64_t cookie;
  sockaddr_in6 local, remote;
};
constexpr size_t digits = 2 * sizeof(Known);
constexpr size_t remembered = 24;
static_assert(sizeof variable + remembered * digits <= RelayEnd::environment_size);

// A ring; only the thread that starts a relay or begins to exec writes or reads it.
constinit Known latest[remembered]{};
constinit std::atomic<uint32_t> next = 0;

uint64_t cookie_of(int fd) {
  int domain = 0;
  socklen_t length = sizeof domain;
  uint64_t cookie = 0;
  socklen_t cookie_length = sizeof cookie;
  if (real::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_UNIX ||
      real::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &cookie_length) != 0) {
    return 0;
  }
  return cookie;
}

void addresses_of(int fd, sockaddr_in6& local, sockaddr_in6& remote) {
  socklen_t length = sizeof local;
  real::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
  length = sizeof remote;
  real::getpeername(fd, reinterpret_cast<sockaddr*>(&remote), &length);
}

int value_of(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

}  // namespace

void RelayEnd::remember(int end, int fd) {
  Known known{};
  known.cookie = cookie_of(end);
  addresses_of(fd, known.local, known.remote);
  if (known.cookie != 0) latest[next.fetch_add(1) % remembered] = known;
}

char* RelayEnd::write_environment(char* room) {
  if (next.load() == 0) return nullptr;
  static constexpr char hexadecimal[] = "0123456789abcdef";
  std::memcpy(room, variable, sizeof variable - 1);
  char* at = room + sizeof variable - 1;
  for (const Known& known : latest) {
    if (known.cookie == 0) continue;
    const auto* const bytes = reinterpret_cast<const uint8_t*>(&known);
    for (size_t i = 0; i < sizeof known; ++i) {
      *at++ = hexadecimal[bytes[i] >> 4];
      *at++ = hexadecimal[bytes[i] & 15];
    }
  }
  *at = '\0';
  return room;
}

bool RelayEnd::read_environment() {
  if (getauxval(AT_SECURE) != 0) return false;
  for (char* const* entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, variable, sizeof variable - 1) != 0) continue;
    const char* at = *entry + sizeof variable - 1;
    for (size_t length = std::strlen(at); length >= digits; length -= digits) {
      std::array<uint8_t, sizeof(Known)> bytes{};
      bool good = true;
      for (uint8_t& byte : bytes) {
        const int high = value_of(*at++);
        const int low = value_of(*at++);
        good = good && high >= 0 && low >= 0;
        byte = static_cast<uint8_t>(high << 4 | low);
      }
      const auto known = std::bit_cast<Known>(bytes);
      if (good && known.cookie != 0) latest[next.fetch_add(1) % remembered] = known;
    }
    break;
  }
  return next.load() != 0;
}

RelayEnd* RelayEnd::known(int fd) {
  const uint64_t cookie = cookie_of(fd);
  if (cookie == 0) return nullptr;
  for (const Known& known : latest) {
    if (known.cookie != cookie) continue;
    void* const memory = arena::make_slot();
    if (memory == nullptr) return nullptr;
    auto* const end = new (memory) RelayEnd;
    end->local = known.local;
    end->remote = known.remote;
    return end;
  }
  return nullptr;
}

RelayEnd* RelayEnd::make(int fd) {
  void* const memory = arena::make_slot();
  if (memory == nullptr) return nullptr;
  auto* const end = new (memory) RelayEnd;
  addresses_of(fd, end->local, end->remote);
  return end;
}

int give_address(int fd, const sockaddr_in6& address, sockaddr* to, socklen_t* length) {
  const bool has_length = memory::can_read(length);
  const int room = has_length ? static_cast<int>(*length) : 0;
  if (room < 0 || !memory::can_write(fd, length) || (room != 0 && !memory::can_write(fd, to))) {
    errno = room < 0 ? EINVAL : EFAULT;
    return -1;
  }
  const socklen_t whole =
      address.sin6_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(to, &address, std::min(*length, whole));
  *length = whole;
  return 0;
}

}  // namespace gaiter::shim
