// From the reason why TLS refused to what the program and the log see of it: the
// one place where errnos are chosen.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "engine/failure.h"
#include "engine/handshake.h"

namespace gaiter::shim {

class ActiveRule;
class Connection;

int errno_of(engine::Cause cause, bool inbound);

// One line each. `fd` is the socket, for its local end; `remote` may be nullptr.
void log_refused(const ActiveRule& rule, int fd, const sockaddr* remote,
                 const engine::Failure& failure);
// mode = "monitor": the connection goes on in clear, and this is what enforcing
// would have met. Without `failure`: nothing that can be known from here.
void log_observed(const ActiveRule& rule, int fd, const sockaddr* remote,
                  const engine::Failure* failure);
// The same, of a connection of which no byte has moved yet: what the rule would meet
// on our own side. May read keys.
void report_observed(ActiveRule& rule, int fd, const sockaddr* remote);
// tls = "optional": it goes on in clear, and this is how it was told.
void log_clear(const ActiveRule& rule, int fd, const sockaddr* remote, const std::string& reason);
// It was ended because its rule has changed.
void log_drained(const Connection& connection, int fd);
// Others may hold the socket, and write there in clear.
void log_shared(const ActiveRule* rule, int fd, const sockaddr* remote, const char* why,
                const char* advice);
void log_blocked(const ActiveRule* rule, int fd, const sockaddr* remote, const char* why);
void log_secured(const Connection& connection, int fd, const engine::Summary& summary,
                 int64_t nanoseconds);
// No rule matches what it listens for, or where it connects to. `others`: no more will be said.
void log_in_clear(bool inbound, int fd, const sockaddr* remote, uint16_t port, bool others,
                  const char* advice);
// A connection that was open and ended badly.
void log_broken(const Connection& connection, int fd, const char* cause, const char* reason);

// The peer asked for another handshake (TLS 1.2), and was told no.
void log_renegotiation(const Connection& connection, int fd);

// What Gaiter cannot do on a protected connection, in words. -1 with errno.
int refuse_unsupported(int error, const char* what);

}  // namespace gaiter::shim
