// The TCP sockets that a program would inherit at exec.
#pragma once

#include <cstdint>

namespace gaiter::base {

struct TcpSocket {
  enum class Use : uint8_t { unconnected, listening, connected };
  int fd;
  Use use;
  uint16_t port;  // the local one; 0 = none yet
};

// Calls visit(socket, context) for each TCP socket of this process without FD_CLOEXEC, also
// for those that may become one (AF_SMC), until it returns false. Async-signal-safe; sees
// a vfork child's own descriptors. Without /proc, numbers from 65,536 on are not seen.
void visit_inherited_tcp(bool (*visit)(const TcpSocket& socket, void* context), void* context);

}  // namespace gaiter::base
