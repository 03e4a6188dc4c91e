// LD_PRELOAD with Gaiter in its place.
#include "shim/preload_order.h"

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

std::string ordered(std::string_view value) {
  constexpr std::string_view own = "/usr/lib/libgaiter.so";
  std::string room(preload_order::room_for(value, own), '?');
  const char* const end = preload_order::write(value, own, room.data());
  assert_int_equal(*end, '\0');
  assert_true(static_cast<size_t>(end - room.data()) < room.size());
  return room.data();
}

void expect(std::string_view value, const char* wanted) {
  assert_string_equal(ordered(value).c_str(), wanted);
  assert_true(preload_order::is_right(wanted));
  assert_string_equal(ordered(wanted).c_str(), wanted);
}

void gaiter_comes_first(void**) {
  expect("", "/usr/lib/libgaiter.so");
  expect("liba.so libb.so", "/usr/lib/libgaiter.so:liba.so:libb.so");
  expect("/x/liba.so:/y/libgaiter.so::libb.so:", "/y/libgaiter.so:/x/liba.so:libb.so");
  expect("libgaiter.so:liba.so /z/libgaiter.so", "libgaiter.so:liba.so");
}

void but_for_a_sanitizer(void**) {
  expect("liba.so:/gcc/libasan.so.8", "/gcc/libasan.so.8:/usr/lib/libgaiter.so:liba.so");
  expect("libgaiter.so libtsan.so.2", "libtsan.so.2:libgaiter.so");
  expect("/c/libclang_rt.asan-x86_64.so:libubsan.so.1",
         "/c/libclang_rt.asan-x86_64.so:libubsan.so.1:/usr/lib/libgaiter.so");
}

void what_is_not_in_order(void**) {
  assert_false(preload_order::is_right(""));
  assert_false(preload_order::is_right("liba.so:libgaiter.so"));
  assert_false(preload_order::is_right("libasan.so.8"));
  assert_false(preload_order::is_right("libgaiter-core.so"));
  assert_false(preload_order::is_sanitizer("libasanother.so"));
  assert_false(preload_order::is_sanitizer("asan.so"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(gaiter_comes_first),
      cmocka_unit_test(but_for_a_sanitizer),
      cmocka_unit_test(what_is_not_in_order),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
