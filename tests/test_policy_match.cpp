// Which rule matches: order, ranges, unknown ends, and against a naive loop.
#include "policy/match.h"

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
  const Rule* rule = policy.match(Direction::inbound, v4(local).get(), v6(remote).get());
  return rule ? rule->name : "";
}

std::string outbound(const Policy& policy, uint16_t local, uint16_t remote) {
  const Rule* rule = policy.match(Direction::outbound, v6(local).get(), v4(remote).get());
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
  assert_string_equal(policy.match(Direction::inbound, v4(5).get(), nullptr)->name.c_str(), "a");
  assert_null(policy.match(Direction::inbound, v4(6).get(), nullptr));
  expect(inbound(policy, 5, 8), "b");
  // Not bound yet: rules about local ports are out.
  assert_string_equal(policy.match(Direction::outbound, nullptr, v4(1).get())->name.c_str(), "d");
  expect(outbound(policy, 0, 1), "d");
  expect(outbound(policy, 5, 1), "c");

  Address local;
  local.storage.ss_family = AF_UNIX;
  assert_null(policy.match(Direction::outbound, local.get(), local.get()));
  assert_null(policy.match(Direction::outbound, local.get(), v4(1).get()));
  assert_null(policy.match(Direction::outbound, v4(1).get(), local.get()));
  assert_null(policy.match(Direction::outbound, nullptr, nullptr));
  assert_null(Policy().match(Direction::inbound, v4(5).get(), nullptr));
}

void survives_moves_and_copies(void**) {
  Policy policy = load("rules = ( { name = \"a\"; direction = \"inbound\"; } );");
  const Policy copy = policy;
  const Policy moved = std::move(policy);
  assert_ptr_equal(copy.match(Direction::inbound, v4(1).get(), nullptr), &copy.rules()[0]);
  assert_ptr_equal(moved.match(Direction::inbound, v4(1).get(), nullptr), &moved.rules()[0]);
}

bool in_ranges(const std::vector<PortRange>& ranges, uint16_t port) {
  for (const PortRange& range : ranges)
    if (range.first <= port && port <= range.last) return true;
  return ranges.empty();
}

uint32_t naive(const std::vector<Rule>& rules, Direction direction, uint16_t local,
               std::optional<uint16_t> remote) {
  for (uint32_t i = 0; i < rules.size(); i++)
    if (rules[i].direction == direction && in_ranges(rules[i].local_ports, local) &&
        (!remote || in_ranges(rules[i].remote_ports, *remote)))
      return i;
  return no_rule;
}

// Small ports collide, the last ones are where arithmetic goes wrong.
uint16_t some_port(std::mt19937& random) {
  switch (random() % 4) {
    case 0:
      return static_cast<uint16_t>(1 + random() % 20);
    case 1:
      return static_cast<uint16_t>(65535 - random() % 20);
    default:
      return static_cast<uint16_t>(1 + random() % 65535);
  }
}

std::vector<PortRange> some_ranges(std::mt19937& random) {
  std::vector<PortRange> ranges;
  for (auto count = random() % 4; count > 0; count--) {
    const uint16_t a = some_port(random), b = random() % 2 ? a : some_port(random);
    ranges.push_back({std::min(a, b), std::max(a, b)});
  }
  return ranges;
}

void agrees_with_a_naive_loop(void**) {
  std::mt19937 random(1);
  for (int round = 0; round < 600; round++) {
    std::vector<Rule> rules(random() % 40);
    for (Rule& rule : rules) {
      rule.direction = random() % 2 ? Direction::inbound : Direction::outbound;
      rule.local_ports = some_ranges(random);
      rule.remote_ports = some_ranges(random);
    }
    const Matcher matcher(rules);
    for (int query = 0; query < 200; query++) {
      const Direction direction = random() % 2 ? Direction::inbound : Direction::outbound;
      const auto local = random() % 8 ? some_port(random) : uint16_t{0};
      std::optional<uint16_t> remote;
      if (random() % 8) remote = some_port(random);
      assert_int_equal(matcher.find(direction, local, remote),
                       naive(rules, direction, local, remote));
    }
  }
}

// The work that a look-up does is bounded, whatever the rules: see match.h. The
// time is printed, and judged only by a limit that no machine should reach.
void ten_thousand_rules(void**) {
  std::mt19937 random(2);
  std::vector<Rule> rules(10000);
  for (size_t i = 0; i < rules.size(); i++) {
    const auto edge = static_cast<uint16_t>(i + 1);
    rules[i].local_ports = {{edge, static_cast<uint16_t>(65535 - i)}};  // all nested
    rules[i].remote_ports = {{some_port(random), 65535}};
    if (i % 2) rules[i].remote_ports = {{edge, edge}};
  }
  const auto start = std::chrono::steady_clock::now();
  const Matcher matcher(rules);
  const auto built = std::chrono::steady_clock::now();
  constexpr int queries = 200000;
  uint64_t sum = 0;
  for (int i = 0; i < queries; i++)
    sum += matcher.find(Direction::inbound, some_port(random), some_port(random));
  const auto done = std::chrono::steady_clock::now();
  using std::chrono::nanoseconds;
  const auto look_up = std::chrono::duration_cast<nanoseconds>(done - built).count() / queries;
  print_message("10,000 rules: built in %ld us, look-up %ld ns (sum %lu)\n",
                static_cast<long>((built - start).count() / 1000), static_cast<long>(look_up), sum);
  assert_true(look_up < 50'000);
  for (int i = 0; i < 300; i++) {
    const uint16_t local = some_port(random), remote = some_port(random);
    assert_int_equal(matcher.find(Direction::inbound, local, remote),
                     naive(rules, Direction::inbound, local, remote));
  }
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
  assert_int_equal(policy.match(Direction::outbound, nullptr, v4(77).get())->line, 78);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(first_match_wins),          cmocka_unit_test(unknown_ends_and_families),
      cmocka_unit_test(survives_moves_and_copies), cmocka_unit_test(agrees_with_a_naive_loop),
      cmocka_unit_test(ten_thousand_rules),        cmocka_unit_test(ten_thousand_rules_as_text),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
