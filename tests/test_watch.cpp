// Files whose change is noticed.
#include "shim/watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

#include "policy_folder.h"

extern "C" {
#include <cmocka.h>
}

using gaiter::policy::Folder;
using gaiter::shim::Watch;

namespace {

bool changed(const Watch& watch) { return watch.look() != Watch::Change::none; }

void wait_until_settled(const Watch& watch) {
  assert_int_equal(watch.look(), Watch::Change::recent);
  const timespec pause{0, 20'000'000};
  while (watch.look() == Watch::Change::recent) nanosleep(&pause, nullptr);
}

void what_stays_is_unchanged(void**) {
  const Folder folder;
  folder.write("policy.d/1.conf", "a");
  Watch watch;
  watch.add(folder.path(), 2);
  assert_false(changed(watch));
}

void a_change_in_place_shows_and_settles(void**) {
  const Folder folder;
  const std::string file = folder.write("policy.d/1.conf", "a");
  Watch watch;
  watch.add(folder.path(), 2);
  folder.write("policy.d/1.conf", "bb");
  assert_true(changed(watch));
  wait_until_settled(watch);
  assert_int_equal(watch.look(), Watch::Change::settled);
}

void the_same_size_in_place_of_another_shows(void**) {
  const Folder folder;
  const std::string file = folder.write("1.conf", "a");
  Watch watch;
  watch.add(file);
  assert_int_equal(rename(folder.write("other", "b").c_str(), file.c_str()), 0);
  assert_true(changed(watch));
}

void files_that_come_and_go_show(void**) {
  const Folder folder;
  folder.write("policy.d/1.conf", "a");
  Watch one;
  one.add(folder.path(), 2);
  const std::string fresh = folder.write("policy.d/2.conf", "a");
  assert_true(changed(one));
  Watch two;
  two.add(folder.path(), 2);
  assert_int_equal(unlink(fresh.c_str()), 0);
  assert_true(changed(two));
}

void what_is_not_there_yet_shows_when_it_comes(void**) {
  const Folder folder;
  Watch watch;
  watch.add(folder.path("policy"), 2);
  assert_false(changed(watch));
  folder.write("policy/1.conf", "a");
  assert_true(changed(watch));
}

void levels_end(void**) {
  const Folder folder;
  folder.write("one/two/three", "a");
  Watch watch;
  watch.add(folder.path(), 1);
  folder.write("one/two/three", "bb");
  assert_false(changed(watch));
}

void a_link_that_leads_elsewhere_shows(void**) {
  const Folder folder;
  folder.write("v1/1.conf", "a");
  folder.write("v2/1.conf", "a");
  assert_int_equal(symlink("v1", folder.path("current").c_str()), 0);
  Watch watch;
  watch.add(folder.path("current"), 2);
  assert_false(changed(watch));
  assert_int_equal(symlink("v2", folder.path("next").c_str()), 0);
  assert_int_equal(rename(folder.path("next").c_str(), folder.path("current").c_str()), 0);
  assert_true(changed(watch));
}

void what_may_not_be_seen_any_more_is_unchanged(void**) {
  if (geteuid() != 0) skip();
  const Folder folder;
  folder.write("secret/key.pem", "a");
  Watch watch;
  watch.add(folder.path("secret/key.pem"));
  assert_int_equal(chmod(folder.path("secret").c_str(), 0700), 0);
  assert_int_equal(seteuid(65'534), 0);
  const bool differs = changed(watch);
  assert_int_equal(seteuid(0), 0);
  assert_false(differs);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_stays_is_unchanged),
      cmocka_unit_test(a_change_in_place_shows_and_settles),
      cmocka_unit_test(the_same_size_in_place_of_another_shows),
      cmocka_unit_test(files_that_come_and_go_show),
      cmocka_unit_test(what_is_not_there_yet_shows_when_it_comes),
      cmocka_unit_test(levels_end),
      cmocka_unit_test(a_link_that_leads_elsewhere_shows),
      cmocka_unit_test(what_may_not_be_seen_any_more_is_unchanged),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
