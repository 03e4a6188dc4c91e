// Whatever the bytes, a policy is read or refused, and its rules can be asked.
#include <netinet/in.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "policy/analysis.h"
#include "policy/matcher.h"
#include "policy/policy.h"

using namespace gaiter::policy;

namespace {

// The index must find what looking at every rule finds.
void ask(const Policy& policy, Direction direction, uint32_t address, uint16_t port) {
  sockaddr_in local{}, remote{};
  local.sin_family = remote.sin_family = AF_INET;
  local.sin_addr.s_addr = htonl(address);
  local.sin_port = htons(port);
  remote.sin_addr.s_addr = htonl(address >> 1);
  remote.sin_port = htons(static_cast<uint16_t>(port ^ 1));
  const Process process{"/usr/bin/redis-server", 0, 0, {}, "redis.service"};
  const Subject subject{direction, reinterpret_cast<const sockaddr*>(&local),
                        reinterpret_cast<const sockaddr*>(&remote), &process};
  const auto point = Point::of(subject);
  const Rule* first = nullptr;
  for (const Rule& rule : policy.rules())
    if (first == nullptr && !mismatch(rule, *point)) first = &rule;
  if (policy.match(subject) != first) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto policy = Policy::load({"", text});
  const auto errors = Policy::check({"", text});
  if (policy.has_value() != errors.empty()) abort();
  for (const Error& error : errors)
    if (error.text().find_first_of("\n\x1b") != std::string::npos) abort();
  if (!policy) return 0;
  for (const Rule& rule : policy->rules()) policy->effective(rule);
  find_unreachable(policy->rules());
  for (uint32_t address : {0u, 0x7f000001u, 0x0a000001u, 0xffffffffu})
    for (uint16_t port : {uint16_t{0}, uint16_t{443}, uint16_t{6379}, uint16_t{65535}})
      for (Direction direction : {Direction::inbound, Direction::outbound})
        ask(*policy, direction, address, port);
  return 0;
}
