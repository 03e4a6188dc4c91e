// Which name a connection expects: the one that was looked up for its address.
#include "shim/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

struct Address {
  explicit Address(const char* text) {
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
    } else {
      auto& v4 = reinterpret_cast<sockaddr_in&>(v6);
      v4.sin_family = AF_INET;
      assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&v6); }
  sockaddr_in6 v6{};
};

void expect(const char* address, const char* name) {
  assert_string_equal(names::name_for(Address(address).get()).c_str(), name);
}

void an_address_without_a_name_is_expected_as_itself(void**) {
  expect("192.0.2.1", "192.0.2.1");
  expect("2001:db8::1", "2001:db8::1");
}

void the_last_name_counts(void**) {
  names::remember("old.example", Address("192.0.2.2").get());
  names::remember("new.example", Address("192.0.2.2").get());
  expect("192.0.2.2", "new.example");
  names::remember("192.0.2.2", Address("192.0.2.2").get());
  expect("192.0.2.2", "192.0.2.2");
}

void the_threads_own_look_up_comes_first(void**) {
  names::remember("mine.example", Address("192.0.2.3").get());
  std::thread([] { names::remember("theirs.example", Address("192.0.2.3").get()); }).join();
  expect("192.0.2.3", "mine.example");
  std::thread([] { expect("192.0.2.3", "theirs.example"); }).join();
}

void a_mapped_address_is_the_same_address(void**) {
  names::remember("mapped.example", Address("192.0.2.4").get());
  expect("::ffff:192.0.2.4", "mapped.example");
}

void the_roots_dot_is_no_part_of_the_name(void**) {
  names::remember("dot.example.", Address("192.0.2.5").get());
  expect("192.0.2.5", "dot.example");
}

void what_cannot_be_a_name_is_passed_over(void**) {
  names::remember(nullptr, Address("192.0.2.6").get());
  names::remember("", Address("192.0.2.6").get());
  names::remember(std::string(254, 'x').c_str(), Address("192.0.2.6").get());
  names::remember("x", nullptr);
  expect("192.0.2.6", "192.0.2.6");
}

void the_oldest_makes_room(void**) {
  names::remember("first.example", Address("198.51.100.1").get());
  for (int i = 0; i < 255; ++i)
    names::remember("many.example", Address(("203.0.113." + std::to_string(i)).c_str()).get());
  expect("203.0.113.254", "many.example");
  names::remember("one-more.example", Address("198.51.100.2").get());
  expect("198.51.100.1", "198.51.100.1");
  expect("198.51.100.2", "one-more.example");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(an_address_without_a_name_is_expected_as_itself),
      cmocka_unit_test(the_last_name_counts),
      cmocka_unit_test(the_threads_own_look_up_comes_first),
      cmocka_unit_test(a_mapped_address_is_the_same_address),
      cmocka_unit_test(the_roots_dot_is_no_part_of_the_name),
      cmocka_unit_test(what_cannot_be_a_name_is_passed_over),
      cmocka_unit_test(the_oldest_makes_room),
  };
  return cmocka_run_group_tests_name("names", tests, nullptr, nullptr);
}
