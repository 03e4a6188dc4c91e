#include "shim/dns_sockets.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "shim/decision.h"
#include "shim/dns_answer.h"
#include "shim/name_record.h"
#include "shim/names.h"
#include "shim/real.h"

namespace gaiter::shim::dns_sockets {

constinit std::atomic<bool> exist = false;

namespace {

constexpr uint16_t name_service = 53;

// One bit a number; those above are not looked at. One may be out of date: who reads asks
// the kernel.
constexpr size_t number_limit = 65'536;
constinit std::atomic<uint64_t> numbers[number_limit / 64]{};

void forget(int fd) {
  numbers[fd / 64].fetch_and(~(uint64_t{1} << (fd % 64)), std::memory_order_relaxed);
}

bool is_of_name_service(const sockaddr* address, socklen_t length) {
  return address != nullptr && length >= sizeof(sockaddr_in) &&
         (address->sa_family == AF_INET || address->sa_family == AF_INET6) &&
         port_of(address) == name_service;
}

bool is_connected_to_name_service(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* const peer = reinterpret_cast<sockaddr*>(&storage);
  return real::getpeername(fd, peer, &length) == 0 && is_of_name_service(peer, length);
}

bool is_stream(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return real::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

bool read_message(std::span<const uint8_t> message) {
  DnsAnswer answer;
  if (!read_dns_answer(message, answer)) return false;
  for (size_t i = 0; i < answer.host_count; ++i) {
    const sockaddr_storage address = address_of(answer.hosts[i]);
    names::remember(answer.name, reinterpret_cast<const sockaddr*>(&address));
  }
  return true;
}

// RFC 1035 4.2.2: each message behind its length. Programs read both at once, or one after
// the other; what comes in smaller pieces is not read.
void read_stream(std::span<const uint8_t> data) {
  if (read_message(data)) return;
  while (data.size() > 2) {
    const auto length = static_cast<size_t>(data[0] << 8 | data[1]);
    if (length > data.size() - 2) return;
    read_message(data.subspan(2, length));
    data = data.subspan(2 + length);
  }
}

}  // namespace

bool is_one(int fd) {
  return static_cast<unsigned>(fd) < number_limit &&
         (numbers[fd / 64].load(std::memory_order_relaxed) >> (fd % 64) & 1) != 0;
}

void note_destination(int fd, const sockaddr* address, socklen_t length) {
  if (!is_of_name_service(address, length) || static_cast<unsigned>(fd) >= number_limit ||
      is_one(fd))
    return;
  const int saved_errno = errno;
  if (concerned(policy::Direction::outbound)) {
    numbers[fd / 64].fetch_or(uint64_t{1} << (fd % 64), std::memory_order_relaxed);
    exist.store(true, std::memory_order_relaxed);
  }
  errno = saved_errno;
}

namespace {

// What a call has received; `from` may be nullptr. Keeps errno.
void look_at(int fd, const void* data, ssize_t got, const sockaddr* from) {
  if (got <= 0) return;
  const int saved_errno = errno;
  const std::span bytes(static_cast<const uint8_t*>(data), static_cast<size_t>(got));
  if (from != nullptr) {
    if (is_of_name_service(from, sizeof(sockaddr_in))) read_message(bytes);
  } else if (!is_connected_to_name_service(fd)) {
    // The number leads to something else by now.
    forget(fd);
  } else if (is_stream(fd)) {
    read_stream(bytes);
  } else {
    read_message(bytes);
  }
  errno = saved_errno;
}

void look_at(int fd, const msghdr& message, ssize_t got) {
  if (message.msg_iovlen == 0 || got <= 0) return;
  // What lies in more than one piece is no answer that a program can make much of.
  const iovec& piece = message.msg_iov[0];
  const size_t length = std::min(static_cast<size_t>(got), piece.iov_len);
  const auto* const from = static_cast<const sockaddr*>(message.msg_name);
  look_at(fd, piece.iov_base, static_cast<ssize_t>(length),
          message.msg_namelen != 0 ? from : nullptr);
}

}  // namespace

ssize_t overhear(int fd, void* buffer, size_t length, int flags, sockaddr* from,
                 socklen_t* from_length) {
  const ssize_t got = real::recvfrom(fd, buffer, length, flags, from, from_length);
  if (got < 0 && errno == ENOTSOCK) {
    forget(fd);
    return real::read(fd, buffer, length);
  }
  const bool known = from != nullptr && from_length != nullptr && *from_length != 0;
  look_at(fd, buffer, std::min<ssize_t>(got, static_cast<ssize_t>(length)), known ? from : nullptr);
  return got;
}

ssize_t overhear(int fd, msghdr* message, int flags) {
  const ssize_t got = real::recvmsg(fd, message, flags);
  if (got > 0) look_at(fd, *message, got);
  return got;
}

int overhear(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  const int got = real::recvmmsg(fd, messages, count, flags, timeout);
  for (int i = 0; i < got; ++i) look_at(fd, messages[i].msg_hdr, messages[i].msg_len);
  return got;
}

}  // namespace gaiter::shim::dns_sockets
