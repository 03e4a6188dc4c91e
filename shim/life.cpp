#include "shim/life.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "shim/process.h"

namespace gaiter::shim::life {

namespace {

constexpr int64_t second = 1'000'000'000;
// A child whose clock is behind its parent's, or so far before it, has another one.
constexpr int64_t longest_birth = second;
// So much later than a recorded one is another process's beginning for certain.
constexpr int64_t margin = 5 * second;

// Of this process, or (as its generation tells) of the nearest ancestor that was asked.
constinit std::atomic<uint32_t> known_in = 0;  // generation
constinit std::atomic<uint32_t> known_pid = 0;
constinit std::atomic<uint32_t> known_space = 0;
constinit std::atomic<int64_t> known_time = 0;
constinit std::atomic<int64_t> forked_at = 0;

int64_t boot_time() {
  timespec time;
  clock_gettime(CLOCK_BOOTTIME, &time);
  return time.tv_sec * second + time.tv_nsec;
}

// Who sees its parent as that saw itself is in the same namespace. Who does not was put into
// another one, or lost its parent.
uint32_t find_space(bool is_child, uint32_t otherwise) {
  const uint32_t parents = known_space.load(std::memory_order_relaxed);
  if (is_child && static_cast<uint32_t>(::syscall(SYS_getppid)) == known_pid.load()) return parents;
  struct stat status;
  const int saved_errno = errno;
  const bool told = stat("/proc/self/ns/pid", &status) == 0;
  errno = saved_errno;
  return told ? static_cast<uint32_t>(status.st_ino) : otherwise;
}

int64_t find_time(bool is_first, bool is_child) {
  const int64_t now = boot_time();
  if (is_first) return now;
  const int64_t before = forked_at.load(std::memory_order_relaxed);
  return is_child && before != 0 && now >= before && now - before < longest_birth ? now : 0;
}

// The front of a file in /proc; bare calls, which no hook sees.
std::string_view read_front(const char* path, char (&into)[1024]) {
  const long fd = ::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const long got = ::syscall(SYS_read, fd, into, sizeof into);
  ::syscall(SYS_close, fd);
  return {into, got > 0 ? static_cast<size_t>(got) : 0};
}

// Whether /proc shows this process's PID namespace, and not an outer one: then this process
// has only one id there.
bool proc_is_ours() {
  char text[1024];
  const std::string_view status = read_front("/proc/self/status", text);
  static constexpr std::string_view key = "\nNSpid:\t";
  const size_t at = status.find(key);
  if (at == std::string_view::npos) return false;
  const std::string_view ids = status.substr(at + key.size());
  return ids.find_first_of("\t\n") == ids.find('\n') && ids.find('\n') != std::string_view::npos;
}

// proc(5), /proc/pid/stat: field 3 is the state, field 22 the beginning in clock ticks.
Life look_in_proc(uint32_t id, int64_t began) {
  char path[32] = "/proc/", text[1024];
  if (!proc_is_ours()) return Life::alive;
  std::strcpy(std::to_chars(path + std::strlen(path), path + sizeof path, id).ptr, "/stat");
  std::string_view fields = read_front(path, text);
  const size_t name_end = fields.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= fields.size()) return Life::alive;
  fields.remove_prefix(name_end + 2);
  if (fields[0] == 'Z' || fields[0] == 'X') return Life::dead;
  for (int field = 3; field != 22; ++field) fields.remove_prefix(fields.find(' ') + 1);
  int64_t ticks = 0;
  std::from_chars(fields.data(), fields.data() + fields.size(), ticks);
  const int64_t start = ticks * (second / sysconf(_SC_CLK_TCK));
  const bool comparable = began != 0 && known_time.load(std::memory_order_relaxed) != 0;
  return comparable && start > began + margin ? Life::dead : Life::alive;
}

// Reads its memory: who has ended has none, reaped or not (kill(2) takes a zombie for alive).
Life look_at(uint32_t id, int64_t began, const uint64_t* mark) {
  if (kill(static_cast<pid_t>(id), 0) != 0 && errno == ESRCH) return Life::dead;
  uint64_t seen = 0;
  const iovec here{&seen, sizeof seen};
  const iovec there{const_cast<uint64_t*>(mark), sizeof seen};
  // A bare call: some sandboxes know kill(2) only.
  const long got = ::syscall(SYS_process_vm_readv, id, &here, 1, &there, 1, 0);
  if (got == sizeof seen) return seen == *mark ? Life::alive : Life::dead;
  if (got < 0 && errno == ESRCH) return Life::dead;
  if (got >= 0 || errno == EFAULT) return Life::dead;  // another program's
  return look_in_proc(id, began);
}

}  // namespace

Birth birth(uint32_t otherwise) {
  const uint32_t now = process::generation();
  const uint32_t before = known_in.load(std::memory_order_acquire);
  if (before != now) {
    const bool is_child = before + 1 == now;
    const uint32_t space = find_space(before != 0 && is_child, otherwise);
    known_time.store(find_time(before == 0, is_child), std::memory_order_relaxed);
    known_space.store(space, std::memory_order_relaxed);
    known_pid.store(process::id(), std::memory_order_relaxed);
    forked_at.store(0, std::memory_order_relaxed);
    known_in.store(now, std::memory_order_release);
  }
  return {known_pid.load(), known_space.load(), known_time.load()};
}

void before_birth() {
  const bool known = known_in.load(std::memory_order_relaxed) == process::generation();
  forked_at.store(known && known_time.load() != 0 ? boot_time() : 0);
}

Life look(uint32_t id, int64_t began, const uint64_t* mark) {
  const int saved_errno = errno;
  const Life life = look_at(id, began, mark);
  errno = saved_errno;
  return life;
}

Life look(uint32_t id) {
  static constexpr uint64_t anything = 0;
  return look(id, 0, &anything);
}

}  // namespace gaiter::shim::life
