// Asks a policy about many connections, for harness/policy. The argument is the
// policy; a line of standard input is
//   DIRECTION LOCAL PORT REMOTE PORT PROGRAM UID GID UNIT
// with - for an address, or a unit, that is not there. A line of the output is the
// name of the rule that matches, or -.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdio>
#include <cstring>

#include "policy/policy.h"

using namespace gaiter::policy;

namespace {

// Writes an address, or returns nullptr for "-".
const sockaddr* read_address(const char* text, unsigned port, sockaddr_storage& out) {
  out = {};
  auto& v4 = reinterpret_cast<sockaddr_in&>(out);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
  if (strcmp(text, "-") == 0) return nullptr;
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<uint16_t>(port));
  } else {
    inet_pton(AF_INET6, text, &v6.sin6_addr);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<uint16_t>(port));
  }
  return reinterpret_cast<const sockaddr*>(&out);
}

}  // namespace

int main(int argc, char** argv) {
  const auto policy = Policy::load({argc > 1 ? argv[1] : "", ""});
  if (!policy) {
    fprintf(stderr, "%s\n", policy.error().text().c_str());
    return 2;
  }
  char direction[16], local[64], remote[64], program[256], unit[256];
  unsigned local_port, remote_port, uid, gid;
  while (scanf("%15s %63s %u %63s %u %255s %u %u %255s", direction, local, &local_port, remote,
               &remote_port, program, &uid, &gid, unit) == 9) {
    sockaddr_storage local_storage, remote_storage;
    const Process process{program, uid, gid, {}, strcmp(unit, "-") == 0 ? "" : unit};
    const Rule* const rule =
        policy->match({strcmp(direction, "inbound") == 0 ? Direction::inbound : Direction::outbound,
                       read_address(local, local_port, local_storage),
                       read_address(remote, remote_port, remote_storage), &process});
    puts(rule == nullptr ? "-" : rule->name.c_str());
  }
  return 0;
}
