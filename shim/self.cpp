#include "shim/self.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>

#include "shim/lock.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

struct Facts {
  char program[PATH_MAX];
  size_t program_length;
  char cgroup[PATH_MAX];
  size_t unit_at, unit_length;
};

// Two, since a child may read anew what its parent knew, once.
constinit Facts facts[2]{};
constinit std::atomic<const Facts*> present = nullptr;
constinit std::atomic<bool> of_the_parent = false;
constinit Lock reading;

void read_program(Facts& into) {
  const ssize_t got = readlink("/proc/self/exe", into.program, sizeof into.program);
  into.program_length = static_cast<size_t>(std::max<ssize_t>(got, 0));
}

// False: it cannot be read here, a sandbox has no /proc.
bool read_unit(Facts& into) {
  const int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t length = 0;
  ssize_t got;
  while ((got = real::read(fd, into.cgroup + length, sizeof into.cgroup - length)) > 0)
    length += static_cast<size_t>(got);
  real::close(fd);
  const std::string_view unit = unit_of({into.cgroup, length});
  into.unit_length = unit.size();
  into.unit_at = unit.empty() ? 0 : static_cast<size_t>(unit.data() - into.cgroup);
  return true;
}

bool is_unit(std::string_view name) {
  return name.ends_with(".service") || name.ends_with(".scope");
}

}  // namespace

std::string_view unit_of(std::string_view cgroup) {
  while (!cgroup.empty()) {
    std::string_view line = cgroup.substr(0, cgroup.find('\n'));
    cgroup.remove_prefix(std::min(line.size() + 1, cgroup.size()));
    // "0::/path", or "1:name=systemd:/path" where version 1 is in use.
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers != "name=systemd") continue;
    std::string_view path = line.substr(second + 1);
    while (!path.empty()) {
      const size_t slash = path.rfind('/');
      const std::string_view name = path.substr(slash + 1);
      if (is_unit(name)) return name;
      path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
    }
  }
  return {};
}

void ProcessQuestions::add(const policy::Rule& rule) {
  program |= !rule.programs.empty();
  user |= !rule.users.empty();
  groups |= !rule.groups.empty();
  unit |= !rule.units.empty();
}

void Self::remember(const ProcessQuestions& questions) {
  if (!questions.program && !questions.unit) return;
  const Facts* const before = present.load(std::memory_order_acquire);
  if (before != nullptr && !of_the_parent.load(std::memory_order_acquire)) return;
  const LockGuard guard(reading, true);
  if (!guard.held() || (present.load() != nullptr && !of_the_parent.load())) return;
  Facts& fresh = facts[before == &facts[0] ? 1 : 0];
  if (before == nullptr) {
    read_program(fresh);
  } else {
    fresh = *before;
  }
  if (!read_unit(fresh) && before != nullptr) fresh = *before;
  present.store(&fresh, std::memory_order_release);
  of_the_parent.store(false, std::memory_order_release);
}

void Self::after_fork_in_child() {
  new (&reading) Lock;
  of_the_parent.store(true);
}

Self::Self(const ProcessQuestions& questions) {
  remember(questions);
  if (const Facts* const known = present.load(std::memory_order_acquire)) {
    process_.program = {known->program, known->program_length};
    process_.unit = {known->cgroup + known->unit_at, known->unit_length};
  }
  process_.uid = geteuid();
  process_.gid = getegid();
  if (!questions.groups) return;
  int count = getgroups(few, few_);
  if (count >= 0) {
    process_.groups = {few_, static_cast<size_t>(count)};
  } else if ((count = getgroups(0, nullptr)) > 0) {
    many_.resize(static_cast<size_t>(count));
    count = getgroups(count, many_.data());
    process_.groups = {many_.data(), static_cast<size_t>(std::max(count, 0))};
  }
}

}  // namespace gaiter::shim
