// The index of rules: the same answer as looking at each, and how long it takes.
#include "policy/matcher.h"

#include <time.h>

#include <random>
#include <string>
#include <vector>

#include "policy/address.h"

extern "C" {
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
}

using namespace gaiter::policy;

namespace {

constexpr Point::Known known[] = {Point::Known::exact, Point::Known::any, Point::Known::unknown};

uint32_t naive(const std::vector<Rule>& rules, const Point& point) {
  for (uint32_t i = 0; i < rules.size(); i++)
    if (!mismatch(rules[i], point)) return i;
  return no_rule;
}

// Small values collide, the last ones are where arithmetic goes wrong.
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

Address some_address(std::mt19937& random) {
  Address address = random() % 2 ? all_ipv4.first : Address{0x2001'0db8'0000'0000, 0};
  if (random() % 8 == 0) address = {UINT64_MAX, UINT64_MAX - 40};
  address.low += 1 + random() % 40;
  if (random() % 4 == 0) address.low += static_cast<uint64_t>(random() % 256) << 24;
  return address;
}

std::vector<PortRange> some_ports(std::mt19937& random) {
  std::vector<PortRange> ranges;
  for (auto count = random() % 4; count > 0; count--) {
    const uint16_t a = some_port(random), b = random() % 2 ? a : some_port(random);
    ranges.push_back({std::min(a, b), std::max(a, b)});
  }
  return ranges;
}

std::vector<AddressRange> some_addresses(std::mt19937& random) {
  std::vector<AddressRange> ranges;
  for (auto count = random() % 3; count > 0; count--) {
    const Address a = some_address(random), b = random() % 2 ? a : some_address(random);
    ranges.push_back({std::min(a, b), std::max(a, b)});
  }
  return ranges;
}

Point some_point(std::mt19937& random, const Process* process) {
  Point point{random() % 2 ? Direction::inbound : Direction::outbound, {}, {}, process};
  for (Point::End* end : {&point.local, &point.remote}) {
    end->address = some_address(random);
    end->port = some_port(random);
    end->address_is = known[random() % 6 < 4 ? 0 : random() % 3];
    end->port_is = known[random() % 6 < 4 ? 0 : random() % 3];
  }
  return point;
}

void agrees_with_a_naive_loop(void**) {
  std::mt19937 random(1);
  const gid_t groups[] = {21, 22};
  const Process process{"/usr/bin/one", 10, 20, groups, "one.service"};
  const std::string units[] = {"one.service", "one.*", "two.service", "a.service"};
  for (int round = 0; round < 600; round++) {
    std::vector<Rule> rules(random() % 40);
    for (Rule& rule : rules) {
      rule.direction = random() % 2 ? Direction::inbound : Direction::outbound;
      rule.local_ports = some_ports(random);
      rule.remote_ports = some_ports(random);
      rule.local = some_addresses(random);
      rule.remote = some_addresses(random);
      if (random() % 4 == 0) rule.programs = {random() % 2 ? "one" : "two"};
      if (random() % 4 == 0) rule.users = {random() % 2 ? 10u : 11u};
      for (auto count = random() % 3; count > 0; count--)
        if (random() % 2) rule.groups.push_back(static_cast<gid_t>(20 + random() % 4));
      for (auto count = random() % 3; count > 0; count--)
        if (random() % 3 == 0) rule.units.push_back(units[random() % std::size(units)]);
    }
    const Matcher matcher(rules), narrow(rules, process.program);
    for (int query = 0; query < 200; query++) {
      const Point point = some_point(random, random() % 4 ? &process : nullptr);
      assert_int_equal(matcher.find(rules, point), naive(rules, point));
      if (point.process != nullptr)
        assert_int_equal(narrow.find(rules, point), naive(rules, point));
    }
  }
}

void patterns_of_units_agree_too(void**) {
  std::mt19937 random(5);
  const std::string some[] = {"",     "a",        "a.service", "ab.service", "a-b.service",
                              "\xff", "\xff\xff", "b",         "z"};
  const std::string patterns[] = {"*",  "",   "a*",   "a.service", "a?.service", "*.service",
                                  "?*", "ab", "a-*b", "\xff*",     "\xff?",      "z?"};
  for (int round = 0; round < 500; round++) {
    std::vector<Rule> rules(random() % 12);
    for (Rule& rule : rules) {
      for (auto count = random() % 3; count > 0; count--)
        rule.units.push_back(patterns[random() % std::size(patterns)]);
      if (random() % 2) rule.local_ports = {{static_cast<uint16_t>(random() % 4), 4}};
    }
    const Matcher matcher(rules);
    for (const std::string& name : some) {
      const Process process{"/usr/bin/one", 1, 2, {}, name};
      Point point = some_point(random, random() % 8 ? &process : nullptr);
      point.local.port = static_cast<uint16_t>(random() % 6);
      assert_int_equal(matcher.find(rules, point), naive(rules, point));
    }
  }
}

void rules_of_very_many_boxes_agree_too(void**) {
  std::mt19937 random(6);
  for (int round = 0; round < 100; round++) {
    std::vector<Rule> rules(10);
    for (Rule& rule : rules) {
      for (auto count = random() % 60; count > 0; count--) {
        const auto port = static_cast<uint16_t>(random() % 200);
        rule.local_ports.push_back({port, static_cast<uint16_t>(port + random() % 3)});
        const Address address{0, all_ipv4.first.low + random() % 200};
        rule.remote.push_back({address, address});
      }
      for (auto count = random() % 9; count > 0; count--)
        rule.groups.push_back(static_cast<gid_t>(random() % 50));
    }
    const Matcher matcher(rules);
    for (int query = 0; query < 300; query++) {
      const gid_t groups[] = {static_cast<gid_t>(random() % 50), static_cast<gid_t>(random() % 50)};
      const Process process{"/usr/bin/one", 1, static_cast<gid_t>(random() % 50), groups, ""};
      Point point = some_point(random, &process);
      point.direction = Direction::inbound;
      point.local.port = static_cast<uint16_t>(random() % 200);
      point.remote.address = {0, all_ipv4.first.low + random() % 200};
      assert_int_equal(matcher.find(rules, point), naive(rules, point));
    }
  }
}

// In nanoseconds; other programs do not count.
int64_t processor_time() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

void make_outbound(std::initializer_list<std::vector<Rule>*> all) {
  for (auto* rules : all)
    for (Rule& rule : *rules) rule.direction = Direction::outbound;
}

// Prints how long a look-up takes, and holds what it finds against a plain search.
void measure(const char* what, const std::vector<Rule>& rules, const std::vector<Point>& points) {
  const int64_t start = processor_time();
  const Matcher matcher(rules);
  const int64_t built = processor_time();
  constexpr int rounds = 20;
  uint64_t found = 0;
  for (int round = 0; round < rounds; round++)
    for (const Point& point : points) found += matcher.find(rules, point) != no_rule;
  const int64_t done = processor_time();
  const auto look_up = (done - built) / (rounds * static_cast<int64_t>(points.size()));
  print_message("%zu rules by %s: built in %ld us, look-up %ld ns (%lu%% found)\n", rules.size(),
                what, static_cast<long>((built - start) / 1000), static_cast<long>(look_up),
                100 * found / (rounds * points.size()));
  for (size_t i = 0; i < 200; i++)
    assert_int_equal(matcher.find(rules, points[i]), naive(rules, points[i]));
}

Point outbound_to(Address address, uint16_t port, const Process* process = nullptr) {
  return {
      Direction::outbound, {}, {Point::Known::exact, Point::Known::exact, address, port}, process};
}

Address ipv4(uint64_t n) { return {0, all_ipv4.first.low + n}; }

void ten_thousand_rules(void**) {
  std::mt19937 random(2);
  std::vector<Rule> ports(10000), networks(10000), pairs(10000), nested(10000);
  std::vector<Point> to_ports, to_networks, to_pairs, to_nested;
  for (uint32_t i = 0; i < 10000; i++) {
    const auto port = static_cast<uint16_t>(i + 1);
    ports[i].remote_ports = {{port, port}};
    to_ports.push_back(outbound_to(ipv4(random()), static_cast<uint16_t>(random() % 20000)));
    networks[i].remote = {{ipv4(i << 16), ipv4((i << 16) + 0xffff)}};
    to_networks.push_back(outbound_to(ipv4((random() % 20000) << 16 | random() % 65536), port));
    pairs[i].remote = {{ipv4(i % 100 << 8), ipv4((i % 100 << 8) + 255)}};
    pairs[i].remote_ports = {
        {static_cast<uint16_t>(1 + i / 100), static_cast<uint16_t>(1 + i / 100)}};
    to_pairs.push_back(
        outbound_to(ipv4((random() % 110) << 8), static_cast<uint16_t>(random() % 110)));
    nested[i].remote_ports = {{port, static_cast<uint16_t>(65535 - i)}};
    nested[i].remote = {{ipv4(i), ipv4(i + 1000)}};
    to_nested.push_back(outbound_to(ipv4(random() % 11000), some_port(random)));
  }
  make_outbound({&ports, &networks, &pairs, &nested});
  measure("port", ports, to_ports);
  measure("network", networks, to_networks);
  measure("port and network", pairs, to_pairs);
  measure("overlapping ranges of both", nested, to_nested);
}

// Layouts in which many rules are for every value.
void ten_thousand_overlapping_rules(void**) {
  std::mt19937 random(4);
  std::vector<Rule> wide(10000), narrow(10000), ranges(10000), networks(10000), users(10000),
      groups(10000), units(10000);
  const gid_t supplementary[] = {7, 5000};
  const Process process{"/usr/bin/one", 5000, 6, supplementary, "u5000.service"};
  std::vector<Point> points;
  for (uint32_t i = 0; i < 10000; i++) {
    points.push_back(outbound_to(ipv4(0x0a000000 + random() % 65536), some_port(random), &process));
    const auto a = static_cast<uint16_t>(random()), b = static_cast<uint16_t>(random());
    wide[i].remote_ports = {{std::min(a, b), std::max(a, b)}};
    narrow[i].remote_ports = {
        {a, static_cast<uint16_t>(std::min<uint64_t>(65535, a + random() % 2000))}};
    const uint64_t first = 0x0a000000 + random() % 65536, size = uint64_t{1} << random() % 16;
    ranges[i].remote_ports = narrow[i].remote_ports;
    ranges[i].remote = {{ipv4(first), ipv4(first + random() % 1000)}};
    networks[i].remote_ports = narrow[i].remote_ports;
    networks[i].remote = {{ipv4(first & ~(size - 1)), ipv4(first | (size - 1))}};
    users[i].users = {i};
    groups[i].groups = {i};
    units[i].units = {"u" + std::to_string(i) + ".service"};
  }
  make_outbound({&wide, &narrow, &ranges, &networks, &users, &groups, &units});
  measure("wide ranges of ports", wide, points);
  measure("narrow ranges of ports", narrow, points);
  measure("ranges of addresses and ports", ranges, points);
  measure("networks in each other, and ports", networks, points);
  measure("user", users, points);
  measure("group", groups, points);
  measure("unit", units, points);
}

// Layouts that trees find hard: rules for one condition each, ranges around one middle, specific
// rules before wide ones, and patterns.
void ten_thousand_awkward_rules(void**) {
  std::mt19937 random(7);
  std::vector<Rule> crossed(10000), inward(10000), specific(10000), prefixes(10000), six(10000);
  const Process process{"/usr/bin/one", 1, 2, {}, "app-5000@a.service"};
  std::vector<Point> points;
  for (uint32_t i = 0; i < 10000; i++) {
    points.push_back(outbound_to(ipv4(0x0a000000 + random() % 65536), some_port(random), &process));
    const auto port = static_cast<uint16_t>(random());
    const uint64_t first = 0x0a000000 + random() % 65536;
    if (i % 2) {
      crossed[i].remote_ports = {{port, port}};
    } else {
      crossed[i].remote = {{ipv4(first), ipv4(first)}};
    }
    inward[i].remote_ports = {{static_cast<uint16_t>(30000 - i), static_cast<uint16_t>(30000 + i)}};
    inward[i].remote = {{ipv4(0x0a008000 - 2 * i), ipv4(0x0a008000 + 3 * i)}};
    const unsigned wide = i / 1000;  // times a thousand
    specific[i].remote_ports = {
        {port, static_cast<uint16_t>(std::min(65535u, port + wide * 1000))}};
    specific[i].remote = {{ipv4(first), ipv4(first + wide * 500)}};
    prefixes[i].units = {"app-" + std::to_string(i) + "@*.service"};
    six[i].remote = {{{0x2001'0db8'0000'0000 + random() % 65536, 0},
                      {0x2001'0db8'0000'0000 + random() % 65536 + 65536, UINT64_MAX}},
                     {ipv4(first), ipv4(first + random() % 1000)}};
    six[i].remote_ports = {{port, static_cast<uint16_t>(std::min(65535u, port + 500u))}};
  }
  make_outbound({&crossed, &inward, &specific, &prefixes, &six});
  measure("port or address", crossed, points);
  measure("ranges around each other, narrow ones first", inward, points);
  measure("specific rules before wide ones", specific, points);
  measure("patterns of units", prefixes, points);
  measure("ranges of both families and ports", six, points);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_a_naive_loop),
      cmocka_unit_test(patterns_of_units_agree_too),
      cmocka_unit_test(rules_of_very_many_boxes_agree_too),
      cmocka_unit_test(ten_thousand_rules),
      cmocka_unit_test(ten_thousand_overlapping_rules),
      cmocka_unit_test(ten_thousand_awkward_rules),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
