#include "shim/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "shim/lock.h"
#include "shim/process.h"

namespace gaiter::shim::names {

namespace {

constexpr size_t longest_name = 253;  // RFC 1035 2.3.4, as text

struct Observation {
  uint8_t address[16];  // IPv4 as v4-mapped
  uint32_t thread;
  uint64_t time;  // 0 = empty; larger is later
  char name[longest_name + 1];
};

// The oldest observation makes room for the next.
constexpr size_t capacity = 256;
constinit Observation observations[capacity]{};
constinit uint64_t clock_ticks = 0;
constinit Lock lock;

bool to_bytes(const sockaddr* address, uint8_t (&bytes)[16]) {
  if (address->sa_family == AF_INET6) {
    std::memcpy(bytes, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
    return true;
  }
  if (address->sa_family != AF_INET) return false;
  std::memset(bytes, 0, 10);
  bytes[10] = bytes[11] = 0xff;
  std::memcpy(bytes + 12, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
  return true;
}

std::string in_text(const uint8_t (&bytes)[16]) {
  char text[INET6_ADDRSTRLEN] = "";
  const bool mapped = IN6_IS_ADDR_V4MAPPED(reinterpret_cast<const in6_addr*>(bytes));
  inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? bytes + 12 : bytes, text, sizeof text);
  return text;
}

}  // namespace

void remember(const char* name, const sockaddr* address) {
  uint8_t bytes[16];
  if (name == nullptr || address == nullptr || !to_bytes(address, bytes)) return;
  size_t length = std::strlen(name);
  while (length != 0 && name[length - 1] == '.') --length;  // absolute form, RFC 1034 3.1
  if (length == 0 || length > longest_name) return;

  LockGuard guard(lock, true);
  if (!guard.held()) return;
  const uint32_t thread = process::thread_id();
  Observation* slot = observations;
  for (Observation& candidate : observations) {
    if (candidate.time != 0 && candidate.thread == thread &&
        std::memcmp(candidate.address, bytes, sizeof bytes) == 0) {
      slot = &candidate;
      break;
    }
    if (candidate.time < slot->time) slot = &candidate;
  }
  std::memcpy(slot->address, bytes, sizeof bytes);
  std::memcpy(slot->name, name, length);
  slot->name[length] = '\0';
  slot->thread = thread;
  slot->time = ++clock_ticks;
}

std::string name_for(const sockaddr* address) {
  uint8_t bytes[16];
  if (!to_bytes(address, bytes)) return "";
  LockGuard guard(lock, true);
  if (guard.held()) {
    const uint32_t thread = process::thread_id();
    const Observation* best = nullptr;
    for (const Observation& candidate : observations) {
      if (candidate.time == 0 || std::memcmp(candidate.address, bytes, sizeof bytes) != 0) continue;
      if (best == nullptr || (candidate.thread == thread) > (best->thread == thread) ||
          ((candidate.thread == thread) == (best->thread == thread) &&
           candidate.time > best->time)) {
        best = &candidate;
      }
    }
    if (best != nullptr) return best->name;
  }
  return in_text(bytes);
}

std::string expected_at(std::string pattern, const sockaddr* address) {
  constexpr std::string_view looked_up = "%h";
  if (pattern.empty()) return name_for(address);
  for (size_t at = 0; (at = pattern.find(looked_up, at)) != std::string::npos;) {
    const std::string found = name_for(address);
    pattern.replace(at, looked_up.size(), found);
    at += found.size();
  }
  return pattern;
}

void after_fork_in_child() { new (&lock) Lock; }

}  // namespace gaiter::shim::names
