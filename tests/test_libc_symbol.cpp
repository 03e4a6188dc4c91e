// libc's own functions, found without dlsym(3).
#include "shim/libc_symbol.h"

#include <dlfcn.h>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

// posix_spawn has two versions, of which the default is meant.
constexpr const char* functions[] = {"send", "dlsym", "dlvsym", "close", "posix_spawn", "fopen"};

void each_is_what_the_loader_finds(void**) {
  void* const libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  assert_non_null(libc);
  for (const char* const name : functions) {
    void* const found = libc_symbol(name);
    assert_non_null(found);
    assert_ptr_equal(found, dlsym(libc, name));
    assert_true(is_in_libc(found));
  }
  dlclose(libc);
}

void what_libc_lacks_is_not_found(void**) {
  assert_null(libc_symbol("there is no such function"));
  assert_null(libc_symbol(""));
  assert_null(libc_symbol("cmocka_run_group_tests"));
}

void what_lies_elsewhere_is_not_in_libc(void**) {
  static const int here = 0;
  int stack = 0;
  assert_false(is_in_libc(&here));
  assert_false(is_in_libc(&stack));
  assert_false(is_in_libc(nullptr));
  assert_false(is_in_libc(reinterpret_cast<const void*>(what_libc_lacks_is_not_found)));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(each_is_what_the_loader_finds),
      cmocka_unit_test(what_libc_lacks_is_not_found),
      cmocka_unit_test(what_lies_elsewhere_is_not_in_libc),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
