// This process, as the conditions of rules see it.
#include "shim/self.h"

#include <unistd.h>

#include <climits>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <string>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

void assert_unit(std::string_view cgroup, std::string_view unit) {
  assert_string_equal(std::string(unit_of(cgroup)).c_str(), std::string(unit).c_str());
}

void units_are_found_in_cgroups(void**) {
  assert_unit("0::/system.slice/redis.service\n", "redis.service");
  assert_unit("0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service");
  assert_unit("0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-u7.scope\n",
              "run-u7.scope");
  assert_unit("0::/system.slice/nginx.service/workers/1\n", "nginx.service");
  assert_unit("12:cpu:/other.service\n1:name=systemd:/system.slice/sshd.service\n0::/\n",
              "sshd.service");
  assert_unit("0::/\n", "");
  assert_unit("0::/docker/0123\n", "");
  assert_unit("", "");
  assert_unit("nonsense", "");
  assert_unit("0::service\n", "");
}

void only_what_is_asked_for_is_gathered(void**) {
  const Self self({.program = true});
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  assert_true(length > 0);
  assert_true(self.process().program == std::string_view(path, static_cast<size_t>(length)));
  assert_int_equal(self.process().uid, geteuid());
  assert_int_equal(self.process().gid, getegid());
  assert_true(self.process().groups.empty());
}

void groups_are_the_kernels(void**) {
  const Self self({.groups = true});
  gid_t groups[NGROUPS_MAX];
  const int count = getgroups(NGROUPS_MAX, groups);
  assert_int_equal(self.process().groups.size(), count);
  for (size_t i = 0; i < self.process().groups.size(); ++i)
    assert_int_equal(self.process().groups[i], groups[i]);
}

void rules_tell_what_is_asked(void**) {
  ProcessQuestions questions;
  gaiter::policy::Rule rule;
  questions.add(rule);
  assert_false(questions.any());
  rule.units = {"redis.service"};
  questions.add(rule);
  assert_true(questions.unit && !questions.program && !questions.user && !questions.groups);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(units_are_found_in_cgroups),
      cmocka_unit_test(only_what_is_asked_for_is_gathered),
      cmocka_unit_test(groups_are_the_kernels),
      cmocka_unit_test(rules_tell_what_is_asked),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
