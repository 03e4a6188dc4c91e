// This process, as the conditions of rules see it.
#pragma once

#include <sys/types.h>

#include <vector>

#include "policy/policy.h"

namespace gaiter::shim {

// What the rules of a policy ask about a process; nothing else is gathered.
struct ProcessQuestions {
  bool program = false;
  bool user = false;
  bool groups = false;
  bool unit = false;

  void add(const policy::Rule& rule);
  bool any() const { return program || user || groups || unit; }
};

// The answers, as they are now: user and groups are asked of the kernel each time,
// since a process may give up its rights between two connections; program and unit
// are read once a process.
class Self {
 public:
  explicit Self(const ProcessQuestions& questions);
  const policy::Process& process() const { return process_; }

  // Reads program and unit while /proc can be reached: chroot(2) hides it.
  static void remember(const ProcessQuestions& questions);
  // A child may be in another unit than its parent.
  static void after_fork_in_child();

 private:
  policy::Process process_;
  static constexpr int few = 64;
  gid_t few_[few];
  std::vector<gid_t> many_;
};

// The innermost systemd service or scope that /proc/self/cgroup (cgroups(7)) tells
// of: "redis.service"; "" if there is none.
std::string_view unit_of(std::string_view cgroup);

}  // namespace gaiter::shim
