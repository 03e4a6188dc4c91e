// Rules that can never match: those that are found, and those that must not be.
#include "policy/analysis.h"

#include <string>
#include <vector>

#include "tests/policy_text.h"

using namespace gaiter::policy;

namespace {

// "b<a" for a rule b that a shadows.
std::string shadows(const std::vector<std::string>& rules) {
  std::string text = "rules = (";
  for (size_t i = 0; i < rules.size(); i++)
    text += std::string(i == 0 ? "" : ",") + "{ name = \"" + static_cast<char>('a' + i) +
            "\"; direction = \"outbound\"; " + rules[i] + " }";
  const Policy policy = load_text(text + ");");
  std::string found;
  for (const Unreachable& one : find_unreachable(policy.rules())) {
    found += (found.empty() ? "" : " ") + one.rule->name + "<";
    for (const Rule* by : one.shadowed_by) found += by->name;
  }
  return found;
}

void expect(const std::vector<std::string>& rules, const char* wanted) {
  assert_string_equal(shadows(rules).c_str(), wanted);
}

void by_one_rule(void**) {
  expect({"", "remote_ports = 80;"}, "b<a");
  expect({"remote_ports = \"1-100\";", "remote_ports = 80;"}, "b<a");
  expect({"remote_ports = 80;", "remote_ports = \"1-100\";"}, "");
  expect({"remote = \"10.0.0.0/8\";", "remote = \"10.1.0.0/16\"; remote_ports = 5;"}, "b<a");
  expect({"remote = \"10.0.0.0/8\"; remote_ports = 5;", "remote = \"10.1.0.0/16\";"}, "");
  expect({"remote = \"::/0\";", "remote = \"10.1.0.0/16\";"}, "");
  expect({"remote = \"any\";", "remote = \"10.1.0.0/16\";"}, "b<a");
  expect({"", "", ""}, "b<a c<a");
  expect({"priority = -1;", ""}, "a<b");
}

void by_several_rules(void**) {
  expect({"remote_ports = \"1-50\";", "remote_ports = \"51-100\";", "remote_ports = \"20-80\";"},
         "c<ab");
  expect({"remote_ports = \"1-50\";", "remote_ports = \"52-100\";", "remote_ports = \"20-80\";"},
         "");
  expect({"remote = [ \"0.0.0.0/0\", \"::/0\" ];", "remote = ( \"10.0.0.1\", \"2001:db8::1\" );"},
         "b<a");
  // A quarter each, and one of them is missing.
  const std::string low = "remote = \"10.0.0.0/9\"; ", high = "remote = \"10.128.0.0/9\"; ";
  const std::string all = "remote = \"10.0.0.0/8\"; remote_ports = \"1-100\";";
  expect({low + "remote_ports = \"1-50\";", high + "remote_ports = \"1-60\";",
          low + "remote_ports = \"51-100\";", high + "remote_ports = \"61-100\";", all},
         "e<abcd");
  expect({low + "remote_ports = \"1-50\";", high + "remote_ports = \"1-60\";",
          low + "remote_ports = \"51-100\";", all},
         "");
}

// A socket that is not bound has no local port, not even one of 1 to 65535.
void what_is_not_known_is_no_value(void**) {
  expect({"local_ports = \"1-65535\";", ""}, "");
  expect({"local = [ \"0.0.0.0/0\", \"::/0\" ];", ""}, "");
  expect({"local = [ \"0.0.0.0/0\", \"::/0\" ];", "local = \"10.0.0.0/8\";"}, "b<a");
}

void by_process(void**) {
  expect({"program = \"redis-server\";", ""}, "");
  expect({"", "program = \"redis-server\";"}, "b<a");
  expect({"program = \"redis-*\";", "program = \"redis-server\";"}, "b<a");
  expect({"program = \"redis-*\";", "program = \"redis-*\";"}, "b<a");
  expect({"program = \"redis-server\";", "program = \"redis-*\";"}, "");
  expect({"program = \"redis-server\";", "program = \"/usr/bin/redis-server\";"}, "b<a");
  expect({"program = \"/usr/bin/redis-server\";", "program = \"redis-server\";"}, "");
  expect({"program = \"/**\";", "program = \"redis-server\";"}, "");
  expect({"user = [ \"root\", \"daemon\" ];", "user = 0;"}, "b<a");
  expect({"user = 0;", "user = ( 0, 1 );"}, "");
  expect({"unit = \"*.service\";", "unit = \"a.service\"; group = 0;"}, "b<a");
  expect({"group = 0; unit = \"*.service\";", "unit = \"a.service\";"}, "");
}

// Ten thousand rules that all overlap must not take minutes.
void many_rules(void**) {
  std::vector<Rule> rules(10000);
  for (size_t i = 0; i < rules.size(); i++) {
    const auto port = static_cast<uint16_t>(i + 1);
    rules[i].local_ports = {{port, static_cast<uint16_t>(port + 100)}};
  }
  assert_int_equal(find_unreachable(rules).size(), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(by_one_rule),
      cmocka_unit_test(by_several_rules),
      cmocka_unit_test(what_is_not_known_is_no_value),
      cmocka_unit_test(by_process),
      cmocka_unit_test(many_rules),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
