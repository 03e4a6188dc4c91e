#include "shim/children.h"

#include <fcntl.h>
#include <paths.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/program_image.h"
#include "base/tcp_filter.h"
#include "base/tcp_sockets.h"
#include "policy/policy.h"
#include "shim/core.h"
#include "shim/decision.h"
#include "shim/live.h"
#include "shim/log.h"
#include "shim/orphan.h"
#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim::children {

namespace {

using base::Inherited;
using base::Obstacle;
using base::TcpSocket;

enum class Verdict : uint8_t {
  pass,
  without_tcp,
  without_tcp_nor_peers,  // it inherits a TCP socket in clear
  refused,
  refused_for_socket,  // it would inherit one that a rule could match
  unknown,             // nobody could say
};

constinit std::atomic<bool> moves_directories = false;

// In secure-execution mode these preloads are in all the same (ld.so(8)).
bool is_preloaded_by_system() {
  char text[2048];
  const int fd = open("/etc/ld.so.preload", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = pread(fd, text, sizeof text, 0);
  real::close(fd);
  return length > 0 &&
         memmem(text, static_cast<size_t>(length), "libgaiter.so", sizeof "libgaiter.so" - 1);
}

bool may_accept_at(const policy::Policy& policy, uint16_t port) {
  if (policy.unmatched() == policy::Unmatched::block) return true;
  return std::ranges::any_of(policy.rules(), [&](const policy::Rule& rule) {
    if (rule.direction != policy::Direction::inbound) return false;
    return rule.local_ports.empty() ||
           std::ranges::any_of(rule.local_ports, [&](const policy::PortRange& range) {
             return range.first <= port && port <= range.last;
           });
  });
}

struct Looking {
  const policy::Policy* policy;
  Verdict verdict = Verdict::without_tcp;
};

bool weigh(const TcpSocket& socket, void* context) {
  auto& looking = *static_cast<Looking*>(context);
  looking.verdict = Verdict::without_tcp_nor_peers;
  if (socket.use == TcpSocket::Use::unconnected ||
      (socket.use == TcpSocket::Use::listening && may_accept_at(*looking.policy, socket.port))) {
    looking.verdict = Verdict::refused_for_socket;
  }
  return looking.verdict != Verdict::refused_for_socket;
}

// What the policy says of the program. `inherits`: the descriptors are those that it gets.
Verdict judge(const char* program, bool inherits) {
  if (!has_rules()) return Verdict::pass;
  const live::Use use;
  const Snapshot& here = live::current();
  if (here.why_blocked() != nullptr)
    return inherits ? Verdict::without_tcp_nor_peers : Verdict::without_tcp;
  const policy::Policy& policy = here.policy();
  if (policy.children() == policy::Children::pass || policy.trusts_child(program))
    return Verdict::pass;
  if (policy.children() == policy::Children::refuse) return Verdict::refused;
  Looking looking{&policy};
  if (inherits) base::visit_inherited_tcp(weigh, &looking);
  return looking.verdict;
}

// The same, where the policy was not read yet and may not be: in a vfork child, whose memory
// is its parent's. A child of its own reads it, and has the same descriptors.
Verdict judge_elsewhere(const char* program) {
  constexpr int patience = 5'000;  // milliseconds; that child may find a lock that nobody frees
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Verdict::unknown;
  const AllSignalsBlocked blocked;
  const pid_t child = real::fork();
  if (child == 0) {
    const Verdict verdict = judge(program, true);
    [[maybe_unused]] const ssize_t ignored = real::write(ends[1], &verdict, sizeof verdict);
    real::_exit(0);
  }
  if (child < 0) fd_table::undo_fork();
  real::close(ends[1]);
  Verdict verdict = Verdict::unknown;
  pollfd answer{ends[0], POLLIN, 0};
  if (child > 0 &&
      (real::poll(&answer, 1, patience) != 1 || real::read(ends[0], &verdict, sizeof verdict) != 1))
    verdict = Verdict::unknown;
  real::close(ends[0]);
  if (child < 0) return verdict;
  kill(child, SIGKILL);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  // Nor is the program to hear of it.
  sigset_t ended;
  sigemptyset(&ended);
  sigaddset(&ended, SIGCHLD);
  constexpr timespec at_once{};
  sigtimedwait(&ended, nullptr, &at_once);
  return verdict;
}

Verdict ask(const char* program, bool inherits) {
  if (live::is_in_use() || !process::memory_is_borrowed()) return judge(program, inherits);
  return judge_elsewhere(program);
}

int refuse(const char* program, const char* reason, const char* advice) {
  log::line(log::Level::warning,
            "refused program=\"{}\" cause=child errno=EACCES reason=\"{}\" advice=\"{}\"", program,
            reason, advice);
  return EACCES;
}

constexpr char trust_advice[] =
    "let an ordinary program do this; or name it in trusted_children, and what it says over TCP "
    "is in clear";

// 0, or an errno.
int refusal_of(Verdict verdict, Obstacle obstacle, const char* program) {
  switch (verdict) {
    case Verdict::pass:
      return 0;
    case Verdict::refused:
      return refuse(program, base::describe(obstacle), "children = \"refuse\": see docs/policy.md");
    case Verdict::refused_for_socket:
      return refuse(program,
                    "it would inherit a TCP socket that a rule may concern, and Gaiter cannot be "
                    "in it",
                    "set FD_CLOEXEC on sockets that are for this program alone");
    case Verdict::unknown:
      return refuse(program, "Gaiter cannot be in it, and the policy could not be read in time",
                    "start it again");
    case Verdict::without_tcp:
    case Verdict::without_tcp_nor_peers:
      break;
  }
  if (!base::gains_rights(obstacle) || base::leaves_rights()) return 0;
  return refuse(program, base::describe(obstacle), trust_advice);
}

void log_without_tcp(const char* program, Obstacle obstacle) {
  log::line(log::Level::notice,
            "without_tcp program=\"{}\" reason=\"it {}; it and what it starts have no TCP\" "
            "advice=\"if it needs TCP, in clear, name it in trusted_children\"",
            program, base::describe(obstacle));
}

// Whether the kernel would take so much (execve(2)); else E2BIG would be heard too late.
bool fits(char* const* arguments, char* const* environment) {
  constexpr size_t at_least = 128 << 10, at_most = 6 << 20, longest = 128 << 10;
  rlimit stack{at_most * 4, 0};
  getrlimit(RLIMIT_STACK, &stack);
  const size_t limit = std::max(at_least, std::min<size_t>(at_most, stack.rlim_cur / 4));
  size_t size = 0;
  for (char* const* list : {arguments, environment}) {
    for (; list != nullptr && *list != nullptr; ++list) {
      const size_t length = std::strlen(*list) + 1;
      if (length > longest) return false;
      size += length + sizeof(char*);
    }
  }
  return size < limit;
}

// Whether nothing stands in Gaiter's way.
bool can_be_entered(const base::ProgramImage& image) {
  return image.obstacle == Obstacle::none ||
         (base::gains_rights(image.obstacle) && is_preloaded_by_system());
}

}  // namespace

Exec before_exec(int directory, const char* path, int flags, char* const* arguments,
                 char* const* environment) {
  if (path == nullptr) return {};
  const base::ProgramImage image = base::look_at(directory, path, flags);
  if (can_be_entered(image)) return {};
  const int saved_errno = errno;
  char program[PATH_MAX];
  base::name_program(directory, path, flags, program);
  Exec exec{0, base::rejects_preload(image.obstacle)};
  const Verdict verdict = ask(program, true);
  if (verdict == Verdict::pass) return exec;
  exec.error = refusal_of(verdict, image.obstacle, program);
  if (exec.error != 0) return exec;
  // What exec would fail of must not take TCP from who goes on after it.
  if (path[0] != '\0' && faccessat(directory, path, X_OK, AT_EACCESS) != 0) return {errno};
  if (!fits(arguments, environment)) return {E2BIG};
  const auto inherited =
      verdict == Verdict::without_tcp_nor_peers ? Inherited::clear_tcp : Inherited::nothing;
  if (const int error = base::deny_tcp(inherited); error != 0) {
    return {refuse(program, "Gaiter cannot be in it, and no seccomp filter can be set for it",
                   std::strerror(error))};
  }
  log_without_tcp(program, image.obstacle);
  errno = saved_errno;
  return exec;
}

int before_shell() {
  const base::ProgramImage image = base::look_at(AT_FDCWD, _PATH_BSHELL, 0);
  if (can_be_entered(image)) return 0;
  if (ask(_PATH_BSHELL, false) == Verdict::pass) return 0;
  return refuse(_PATH_BSHELL, base::describe(image.obstacle), trust_advice);
}

namespace {

// "6379-6379,7000-7010": where a rule may want connections that are accepted; "*" is anywhere.
void write_ports(char (&out)[sizeof Spawn::ports]) {
  const live::Use use;
  const Snapshot& here = live::current();
  char* at = out;
  bool all = here.why_blocked() != nullptr || here.policy().unmatched() == policy::Unmatched::block;
  for (const policy::Rule& rule : here.policy().rules()) {
    if (rule.direction != policy::Direction::inbound) continue;
    all = all || rule.local_ports.empty();
    for (const policy::PortRange& range : rule.local_ports) {
      char* const end = out + sizeof out - 1;
      all = all || end - at < 16;  // ",65535-65535"
      if (all) break;
      if (at != out) *at++ = ',';
      at = std::to_chars(at, end, range.first).ptr;
      *at++ = '-';
      at = std::to_chars(at, end, range.last).ptr;
    }
  }
  *at = '\0';
  if (all) std::strcpy(out, "*");
}

}  // namespace

void before_spawn(const char* path, bool moves, Spawn& spawn) {
  if (path == nullptr) return;
  const bool is_other_there = moves && path[0] != '/' && directories_may_change();
  const base::ProgramImage image = base::look_at(AT_FDCWD, path, 0);
  if (!is_other_there && can_be_entered(image)) return;
  char program[PATH_MAX];
  base::name_program(AT_FDCWD, path, 0, program);
  const Verdict verdict = ask(program, false);
  spawn.without_preload = !is_other_there && base::rejects_preload(image.obstacle);
  if (verdict == Verdict::pass) return;
  if (!is_other_there) {
    if (const int error = refusal_of(verdict, image.obstacle, program); error != 0) {
      spawn.way = Spawn::Way::refused;
      return;
    }
    if (access(path, X_OK) != 0) return;  // posix_spawn(3) says so
  }
  spawn.way = Spawn::Way::by_helper;
  char* option = spawn.options;
  *option++ = is_other_there ? 'l' : '-';
  *option++ = verdict == Verdict::refused ? 'r' : '-';
  *option = '\0';
  write_ports(spawn.ports);
  if (!core::beside("gaiter-without-tcp", spawn.helper) || access(spawn.helper, X_OK) != 0) {
    refuse(program, "the helper gaiter-without-tcp is not beside libgaiter.so",
           "install Gaiter again");
    spawn.way = Spawn::Way::refused;
    return;
  }
  if (!is_other_there) log_without_tcp(program, image.obstacle);
}

void directories_change() { moves_directories.store(true, std::memory_order_relaxed); }
bool directories_may_change() { return moves_directories.load(std::memory_order_relaxed); }

}  // namespace gaiter::shim::children
