#include "shim/awaited.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "shim/log.h"
#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim::awaited {

namespace {

constexpr int64_t patience = 10'000'000'000;  // nanoseconds

constinit char ports[256] = "";  // "" = nothing is awaited, or no more
constinit pid_t first = 0;
constinit std::atomic<bool> done = false;
constinit std::atomic<int64_t> elsewhere_since = 0;
constinit std::atomic<uint16_t> elsewhere = 0;
constinit std::atomic<pid_t> listener = 0;  // its children need not say it again

bool is_awaited(unsigned long port) {
  for (const char* at = ports; *at != '\0';) {
    char* end;
    const unsigned long low = std::strtoul(at, &end, 10);
    const unsigned long high = *end == '-' ? std::strtoul(end + 1, &end, 10) : low;
    if (low <= port && port <= high) return true;
    if (*end != ',') break;
    at = end + 1;
  }
  return false;
}

// A line of /proc/net/tcp: "   0: 0100007F:18F7 00000000:0000 0A ..." (proc_pid_net(5)).
bool is_awaited_listener(const char* line) {
  const char* const local = std::strchr(line, ':');
  if (local == nullptr) return false;
  const char* const port = std::strchr(local + 1, ':');
  if (port == nullptr) return false;
  const char* const remote = std::strchr(port + 1, ' ');
  const char* const state = remote != nullptr ? std::strchr(remote + 1, ' ') : nullptr;
  return state != nullptr && std::strncmp(state, " 0A ", 4) == 0 &&
         is_awaited(std::strtoul(port + 1, nullptr, 16));
}

bool somebody_listens(const char* file) {
  constexpr size_t longest = 16 << 20;
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[4096 + 1];
  size_t kept = 0, total = 0;
  bool found = false;
  ssize_t got;
  while (!found && total < longest && (got = real::read(fd, text + kept, 4096 - kept)) > 0) {
    total += static_cast<size_t>(got);
    kept += static_cast<size_t>(got);
    text[kept] = '\0';
    char* at = text;
    while (char* const end = std::strchr(at, '\n')) {
      *end = '\0';
      found = found || is_awaited_listener(at);
      at = end + 1;
    }
    kept = std::strlen(at);
    std::memmove(text, at, kept + 1);
    if (kept == 4096) kept = 0;  // no line is so long
  }
  real::close(fd);
  return found;
}

bool had_children() {
  rusage usage{};
  siginfo_t info;
  return getrusage(RUSAGE_CHILDREN, &usage) != 0 || usage.ru_minflt != 0 ||
         waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void tell() {
  if (done.exchange(true)) return;
  const int saved_errno = errno;
  if (!somebody_listens("/proc/self/net/tcp") && !somebody_listens("/proc/self/net/tcp6")) {
    const unsigned port = elsewhere.load();
    log::line(log::Level::warning,
              "not_listening ports={} reason=\"asked for with --listen, but {} {}\" "
              "advice=\"give --listen the port that the program serves\"",
              ports, port != 0 ? "the program listens at port" : "it never listened",
              port != 0 ? std::to_string(port) : "anywhere");
  }
  errno = saved_errno;
}

}  // namespace

void start() {
  const char* const value = std::getenv("GAITER_LISTEN");
  if (value == nullptr || getauxval(AT_SECURE) != 0) return;
  char* end;
  first = static_cast<pid_t>(std::strtol(value, &end, 10));
  if (*end == ':' && std::strlen(end + 1) < sizeof ports) std::strcpy(ports, end + 1);
}

void listening(uint16_t port) {
  if (ports[0] == '\0' || done.load(std::memory_order_relaxed)) return;
  if (is_awaited(port)) {
    done.store(true);
  } else if (int64_t none = 0; elsewhere_since.compare_exchange_strong(none, process::now())) {
    elsewhere.store(port);
    listener.store(getpid());
  }
}

void accepted() {
  if (ports[0] == '\0' || done.load(std::memory_order_relaxed)) return;
  const int64_t since = elsewhere_since.load();
  if (since != 0 && process::now() - since >= patience && listener.load() == getpid()) tell();
}

void end() {
  if (ports[0] == '\0' || done.load()) return;
  const bool has_served = elsewhere_since.load() != 0;
  if (has_served ? listener.load() == getpid() : getpid() == first && !had_children()) tell();
}

}  // namespace gaiter::shim::awaited
