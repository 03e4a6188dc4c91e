// Unconnected sockets that were passed on: whether only members of the family hold one.
#include "shim/travels.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

void one_that_was_never_passed_is_anybodys(void**) {
  assert_false(travels::stays_in_family(1000));
  travels::arrived(1000);  // from a stranger
  assert_false(travels::stays_in_family(1000));
  assert_false(travels::stays_in_family(0));
}

void each_message_must_have_been_taken_by_a_member(void**) {
  travels::passed(1001);
  assert_false(travels::stays_in_family(1001));
  travels::arrived(1001);
  assert_true(travels::stays_in_family(1001));
  travels::passed(1001);
  assert_false(travels::stays_in_family(1001));
  travels::not_passed(1001);
  assert_true(travels::stays_in_family(1001));
}

void one_that_was_lost_stays_so(void**) {
  travels::passed(1002);
  travels::arrived(1002);
  travels::lose(1002);
  travels::arrived(1002);
  travels::not_passed(1002);
  assert_false(travels::stays_in_family(1002));
  travels::lose(1003);
  assert_false(travels::stays_in_family(1003));
}

void counts_that_are_full_say_nothing(void**) {
  for (int i = 0; i < 300; ++i) {
    travels::passed(1004);
    travels::arrived(1004);
  }
  assert_false(travels::stays_in_family(1004));
}

void one_that_was_pushed_out_is_not_known(void**) {
  travels::passed(2000);
  travels::arrived(2000);
  for (uint64_t i = 1; i <= 8; ++i) travels::passed(2000 + 512 * i);
  assert_false(travels::stays_in_family(2000));
  // Such a cookie would need more sockets than there are.
  travels::passed(UINT64_MAX);
  travels::arrived(UINT64_MAX);
  assert_false(travels::stays_in_family(UINT64_MAX));
}

void a_child_takes_what_its_parent_passes(void**) {
  travels::passed(3000);
  const pid_t child = fork();
  if (child == 0) {
    travels::arrived(3000);
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_true(travels::stays_in_family(3000));
}

int begin(void**) {
  travels::start();
  return 0;
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(one_that_was_never_passed_is_anybodys),
      cmocka_unit_test(each_message_must_have_been_taken_by_a_member),
      cmocka_unit_test(one_that_was_lost_stays_so),
      cmocka_unit_test(counts_that_are_full_say_nothing),
      cmocka_unit_test(one_that_was_pushed_out_is_not_known),
      cmocka_unit_test(a_child_takes_what_its_parent_passes),
  };
  return cmocka_run_group_tests(tests, begin, nullptr);
}
