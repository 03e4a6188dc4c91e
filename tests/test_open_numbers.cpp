// Which numbers are open, with /proc and without it.
#include "shim/open_numbers.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

constexpr int limit = 2000;
constinit int seen[limit]{};

bool finds_what_is_open() {
  std::memset(seen, 0, sizeof seen);
  for_each_open_number([](int fd) {
    if (fd < limit) ++seen[fd];
  });
  for (int fd = 0; fd < limit; ++fd) {
    if (seen[fd] != (fcntl(fd, F_GETFD) >= 0 ? 1 : 0)) return false;
  }
  return true;
}

void open_some() {
  const rlimit room{limit, limit};
  setrlimit(RLIMIT_NOFILE, &room);
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  constexpr int numbers[] = {15, 16, 17, 300, 301, limit - 1};
  for (const int to : numbers) dup2(fd, to);
  for (int to = 600; to < 900; ++to) dup2(fd, to);
  close(fd);
}

void those_that_the_kernel_lists(void**) {
  open_some();
  assert_true(finds_what_is_open());
}

void those_that_answer_where_there_is_no_proc(void**) {
  const pid_t child = fork();
  if (child == 0) {
    // Whoever may not unmount it looks at what an empty directory lists.
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      _exit(77);
    if (mount("none", "/proc", "tmpfs", 0, nullptr) != 0) _exit(77);
    _exit(finds_what_is_open() ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
  assert_int_equal(status, 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(those_that_the_kernel_lists),
      cmocka_unit_test(those_that_answer_where_there_is_no_proc),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
