// Which rule matches: order, ranges, unknown ends, and against a naive loop.
#include "policy/match.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "policy/policy.h"

extern "C" {
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
}

using namespace gaiter::policy;

namespace {

struct Address {
  sockaddr_storage storage{};
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address v4(uint16_t port) {
  Address address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  in->sin_family = AF_INET;
  in->sin_port = htons(port);
  return address;
}

Address v6(uint16_t port) {
  Address address;
  auto* in = reinterpret_cast<sockaddr_in6*>(&address.storage);
  in->sin6_family = AF_INET6;
  in->sin6_port = htons(port);
  return address;
}

Policy load(const std::string& text) {
  auto policy = Policy::load({"", text});
  if (!policy) fail_msg("%s", policy.error().text().c_str());
  return std::move(*policy);
}

std::string inbound(const Policy& policy, uint16_t local, uint16_t remote) {
  const Rule* rule = policy.match({Direction::inbound, v4(local).get(), v6(remote).get()});
  return rule ? rule->name : "";
}

std::string outbound(const Policy& policy, uint16_t local, uint16_t remote) {
  const Rule* rule = policy.match({Direction::outbound, v6(local).get(), v4(remote).get()});
  return rule ? rule->name : "";
}

void expect(const std::string& got, const char* wanted) {
  assert_string_equal(got.c_str(), wanted);
}

void first_match_wins(void**) {
  const Policy policy = load(
      "rules = (\n"
      "{ name = \"a\"; direction = \"inbound\"; local_ports = 6001; },\n"
      "{ name = \"b\"; direction = \"inbound\"; local_ports = ( \"6000-6002\", 9 ); },\n"
      "{ name = \"c\"; direction = \"inbound\"; local_ports = \"1-65535\"; remote_ports = 7; },\n"
      "{ name = \"d\"; direction = \"outbound\"; remote_ports = [ 443, 80 ]; },\n"
      "{ name = \"e\"; direction = \"outbound\"; local_ports = 1023; } );\n");
  expect(inbound(policy, 6001, 7), "a");
  expect(inbound(policy, 6000, 7), "b");
  expect(inbound(policy, 6002, 1), "b");
  expect(inbound(policy, 9, 1), "b");
  expect(inbound(policy, 5999, 7), "c");
  expect(inbound(policy, 1, 7), "c");
  expect(inbound(policy, 65535, 7), "c");
  expect(inbound(policy, 6003, 8), "");
  expect(inbound(policy, 443, 443), "");
  expect(outbound(policy, 1023, 80), "d");
  expect(outbound(policy, 1023, 81), "e");
  expect(outbound(policy, 6001, 81), "");
}

void unknown_ends_and_families(void**) {
  const Policy policy = load(
      "rules = (\n"
      "{ name = \"a\"; direction = \"inbound\"; local_ports = 5; remote_ports = 7; },\n"
      "{ name = \"b\"; direction = \"inbound\"; local_ports = 5; },\n"
      "{ name = \"c\"; direction = \"outbound\"; local_ports = 5; },\n"
      "{ name = \"d\"; direction = \"outbound\"; } );\n");
  // Listening: the first rule that some client could meet.
  assert_string_equal(policy.match({Direction::inbound, v4(5).get(), nullptr})->name.c_str(), "a");
  assert_null(policy.match({Direction::inbound, v4(6).get(), nullptr}));
  expect(inbound(policy, 5, 8), "b");
  // Not bound yet: rules about local ports are out.
  assert_string_equal(policy.match({Direction::outbound, nullptr, v4(1).get()})->name.c_str(), "d");
  expect(outbound(policy, 0, 1), "d");
  expect(outbound(policy, 5, 1), "c");

  Address local;
  local.storage.ss_family = AF_UNIX;
  assert_null(policy.match({Direction::outbound, local.get(), local.get()}));
  assert_null(policy.match({Direction::outbound, local.get(), v4(1).get()}));
  assert_null(policy.match({Direction::outbound, v4(1).get(), local.get()}));
  assert_null(policy.match({Direction::outbound, nullptr, nullptr}));
  assert_null(Policy().match({Direction::inbound, v4(5).get(), nullptr}));
}

void survives_moves_and_copies(void**) {
  Policy policy = load("rules = ( { name = \"a\"; direction = \"inbound\"; } );");
  const Policy copy = policy;
  const Policy moved = std::move(policy);
  assert_ptr_equal(copy.match({Direction::inbound, v4(1).get(), nullptr}), &copy.rules()[0]);
  assert_ptr_equal(moved.match({Direction::inbound, v4(1).get(), nullptr}), &moved.rules()[0]);
}

void ten_thousand_rules_as_text(void**) {
  std::string text = "rules = (";
  for (int i = 1; i <= 10000; i++)
    text += std::string(i > 1 ? "," : "") +
            "\n{ direction = \"outbound\"; remote_ports = " + std::to_string(i) +
            "; server_name = \"s" + std::to_string(i) + ".internal\"; }";
  const Policy policy = load(text + ");");
  assert_int_equal(policy.rules().size(), 10000);
  expect(outbound(policy, 0, 10000), "rule 10000");
  expect(outbound(policy, 0, 10001), "");
  assert_int_equal(policy.match({Direction::outbound, nullptr, v4(77).get()})->line, 78);
}

Address at(const char* text, uint16_t port) {
  Address address = v6(port);
  auto* const six = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) return address;
  address = v4(port);
  auto* const four = reinterpret_cast<sockaddr_in*>(&address.storage);
  assert_int_equal(inet_pton(AF_INET, text, &four->sin_addr), 1);
  return address;
}

// Where a connect to no address leads.
void no_address_is_this_host(void**) {
  const Policy policy = load(
      "rules = ( { name = \"four\"; direction = \"outbound\"; remote = \"127.0.0.1\"; },"
      "          { name = \"six\"; direction = \"outbound\"; remote = \"::1\"; },"
      "          { name = \"bound\"; direction = \"outbound\"; remote = \"10.1.2.3\"; } );");
  const auto reached = [&](const char* local, const char* remote) -> std::string {
    const Rule* const rule =
        policy.match({Direction::outbound, at(local, 5000).get(), at(remote, 80).get()});
    return rule != nullptr ? rule->name : "";
  };
  assert_string_equal(reached("0.0.0.0", "0.0.0.0").c_str(), "four");
  assert_string_equal(reached("::", "::ffff:0.0.0.0").c_str(), "four");
  assert_string_equal(reached("::", "::").c_str(), "six");
  assert_string_equal(reached("2001:db8::1", "::").c_str(), "six");
  assert_string_equal(reached("::ffff:10.1.2.3", "::").c_str(), "four");
  assert_string_equal(reached("10.1.2.3", "0.0.0.0").c_str(), "bound");
  assert_string_equal(reached("::ffff:10.1.2.3", "::ffff:0.0.0.0").c_str(), "bound");
  assert_string_equal(reached("0.0.0.0", "192.0.2.1").c_str(), "");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(first_match_wins),           cmocka_unit_test(unknown_ends_and_families),
      cmocka_unit_test(no_address_is_this_host),    cmocka_unit_test(survives_moves_and_copies),
      cmocka_unit_test(ten_thousand_rules_as_text),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
