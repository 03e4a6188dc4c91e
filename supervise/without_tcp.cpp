// gaiter-without-tcp OPTIONS PORTS PROGRAM ARGUMENT...
//
// What posix_spawn(3) starts instead of a program that Gaiter cannot be in (shim/children.h):
// takes TCP away from itself, and becomes that program. Statically linked, so that nothing is
// preloaded into it. OPTIONS: 'l' looks first whether Gaiter can be in the program after all,
// 'r' refuses it if not. PORTS: where rules may want what is accepted, "6379-6379,7000-7010",
// or "*": a program that would inherit a listener there, or an unconnected socket, is refused.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/program_image.h"
#include "base/tcp_filter.h"
#include "base/tcp_sockets.h"

namespace {

using namespace gaiter::base;

constexpr int not_executable = 126, not_there = 127;  // as a shell says it

// Standard error may be a connection of the program's.
void say(const char* level, const char* program, const char* text) {
  struct stat status;
  if (fstat(2, &status) != 0 || S_ISSOCK(status.st_mode)) return;
  char line[1400];
  const int length =
      snprintf(line, sizeof line, "gaiter[%d] %s: %s program=%s\n", getpid(), level, text, program);
  if (length > 0) [[maybe_unused]]
    const ssize_t ignored = write(2, line, std::min(sizeof line - 1, static_cast<size_t>(length)));
}

struct Sockets {
  const char* ports;
  bool any = false;
  bool concerned = false;
};

bool names(const char* ports, unsigned port) {
  if (*ports == '*') return true;
  while (*ports != '\0') {
    char* end;
    const unsigned long first = std::strtoul(ports, &end, 10);
    const unsigned long last = *end == '-' ? std::strtoul(end + 1, &end, 10) : first;
    if (first <= port && port <= last) return true;
    if (*end != ',') break;
    ports = end + 1;
  }
  return false;
}

bool look(const TcpSocket& socket, void* context) {
  auto& sockets = *static_cast<Sockets*>(context);
  sockets.any = true;
  sockets.concerned =
      socket.use == TcpSocket::Use::unconnected ||
      (socket.use == TcpSocket::Use::listening && names(sockets.ports, socket.port));
  return !sockets.concerned;
}

// 0, or the exit code.
int prepare(const char* options, const char* ports, const char* program) {
  const ProgramImage image = look_at(AT_FDCWD, program, 0);
  if (std::strchr(options, 'l') != nullptr) {
    if (image.obstacle == Obstacle::none) return 0;
    if (std::strchr(options, 'r') != nullptr) {
      say("warning", program, "refused cause=child reason=\"Gaiter cannot be in it\"");
      return not_executable;
    }
  }
  Sockets sockets{ports};
  visit_inherited_tcp(look, &sockets);
  if (sockets.concerned) {
    say("warning", program,
        "refused cause=child reason=\"it would inherit a TCP socket that a rule may concern\"");
    return not_executable;
  }
  if (rejects_preload(image.obstacle)) unsetenv("LD_PRELOAD");
  if (gains_rights(image.obstacle) && !leaves_rights()) {
    say("warning", program, "refused cause=child reason=\"a filter would take its rights\"");
    return not_executable;
  }
  if (deny_tcp(sockets.any ? Inherited::clear_tcp : Inherited::nothing) != 0) {
    say("warning", program, "refused cause=child reason=\"no seccomp filter can be set\"");
    return not_executable;
  }
  if (std::strchr(options, 'l') != nullptr)
    say("notice", program, "without_tcp reason=\"Gaiter cannot be in it\"");
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count < 5) return not_executable;
  const char* const program = words[3];
  if (const int code = prepare(words[1], words[2], program); code != 0) return code;
  execv(program, words + 4);
  say("warning", program, std::strerror(errno));
  return errno == ENOENT ? not_there : not_executable;
}
