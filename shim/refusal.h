// From the reason why TLS refused to what the program and the log see of it: the
// one place where errnos are chosen.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "engine/failure.h"
#include "engine/handshake.h"

namespace gaiter::shim {

class ActiveRule;

int errno_of(engine::Cause cause, bool inbound);

// One line each. `fd` is the socket, for its endpoints.
void log_refused(const ActiveRule& rule, int fd, const engine::Failure& failure);
void log_blocked(const ActiveRule* rule, int fd, const sockaddr* remote, const char* why);
void log_secured(const ActiveRule& rule, int fd, const engine::Summary& summary,
                 int64_t nanoseconds);
// A connection that was open and ended badly, or a call that was refused.
void log_broken(const ActiveRule& rule, int fd, const char* cause, const char* reason);

}  // namespace gaiter::shim
