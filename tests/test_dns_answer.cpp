// Answers of name servers, good ones and others.
#include "shim/dns_answer.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

// A message as one writes it, without compression but by pointer().
class Message {
 public:
  explicit Message(const std::string& asked, uint16_t type = 1)
      : bytes{0, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0} {
    name(asked);
    word(type);
    word(1);
  }
  Message& name(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      const size_t dot = std::min(text.find('.', at), text.size());
      bytes.push_back(static_cast<uint8_t>(dot - at));
      bytes.insert(bytes.end(), text.begin() + static_cast<long>(at),
                   text.begin() + static_cast<long>(dot));
      at = dot + 1;
    }
    bytes.push_back(0);
    return *this;
  }
  Message& word(unsigned value) {
    bytes.push_back(static_cast<uint8_t>(value >> 8));
    bytes.push_back(static_cast<uint8_t>(value));
    return *this;
  }
  // The owner is the question's name, by pointer, if it is "".
  Message& record(const std::string& owner, unsigned type, const std::vector<uint8_t>& data) {
    if (owner.empty())
      word(0xc00c);
    else
      name(owner);
    word(type).word(1).word(0).word(60).word(static_cast<unsigned>(data.size()));
    bytes.insert(bytes.end(), data.begin(), data.end());
    ++bytes[7];
    return *this;
  }
  Message& alias(const std::string& owner, const std::string& target) {
    Message other(target);
    const std::vector<uint8_t> data(other.bytes.begin() + 12, other.bytes.end() - 4);
    return record(owner, 5, data);
  }
  Message& address(const std::string& owner, uint8_t last) {
    return record(owner, 1, {10, 0, 0, last});
  }

  std::vector<uint8_t> bytes;
};

void expect(const Message& message, const std::string& name, size_t hosts) {
  DnsAnswer answer;
  const bool good = read_dns_answer(message.bytes, answer);
  assert_int_equal(good, hosts != 0);
  if (!good) return;
  assert_string_equal(answer.name, name.c_str());
  assert_int_equal(answer.host_count, hosts);
}

void addresses_are_of_the_name_that_was_asked_for(void**) {
  expect(Message("a.Example").address("", 1).address("A.example", 2), "a.example", 2);
  expect(Message("a.example", 28).record("", 28, std::vector<uint8_t>(16, 3)), "a.example", 1);
  expect(Message("a.example").address("b.example", 1), "", 0);
  expect(Message("a.example"), "", 0);
}

void aliases_are_followed(void**) {
  expect(Message("a.example")
             .alias("", "b.example")
             .alias("b.example", "c.example")
             .address("c.example", 1),
         "a.example", 1);
  // In any order.
  expect(Message("a.example")
             .address("c.example", 1)
             .alias("b.example", "c.example")
             .alias("", "b.example"),
         "a.example", 1);
  expect(Message("a.example").alias("", "b.example").address("x.example", 1), "", 0);
  // Around in a circle.
  expect(Message("a.example")
             .alias("", "b.example")
             .alias("b.example", "a.example")
             .address("c.example", 1),
         "", 0);
}

void what_is_no_answer_is_none(void**) {
  const Message good = Message("a.example").address("", 1);
  expect(good, "a.example", 1);
  for (const auto& [at, value] :
       {std::pair<size_t, uint8_t>{2, 1}, {2, 0x89}, {3, 0x83}, {5, 0}, {5, 2}}) {
    Message bad = good;
    bad.bytes[at] = value;
    expect(bad, "", 0);
  }
  for (size_t length = 0; length < good.bytes.size(); ++length) {
    Message cut = good;
    cut.bytes.resize(length);
    expect(cut, "", 0);
  }
  // A pointer to itself, and one forward.
  for (const unsigned to : {0xc01bU, 0xc01dU, 0xc0ffU}) {
    Message bad("a.example");
    bad.word(to).word(1).word(1).word(0).word(0).word(4).word(0).word(0);
    bad.bytes[7] = 1;
    expect(bad, "", 0);
  }
  // A dot inside of a label.
  Message dotted("axexample");
  dotted.bytes[14] = '.';
  dotted.address("", 1);
  expect(dotted, "", 0);
  expect(Message(std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(63, 'a') +
                 "." + std::string(63, 'a'))
             .address("", 1),
         "", 0);
}

void very_many_are_left_out(void**) {
  Message many("a.example");
  for (unsigned i = 0; i < 200; ++i) many.address("", static_cast<uint8_t>(i));
  expect(many, "a.example", DnsAnswer::most_hosts);
}

void anything_is_survived(void**) {
  std::mt19937 random(5);
  const Message good =
      Message("a.example").alias("", "b.example").address("b.example", 1).address("b.example", 2);
  for (int round = 0; round < 100'000; ++round) {
    std::vector<uint8_t> bytes = good.bytes;
    for (unsigned i = 0; i <= random() % 4; ++i)
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    bytes.resize(bytes.size() - random() % 8);
    const std::vector<uint8_t> exact(bytes);  // no spare room behind it
    DnsAnswer answer;
    if (read_dns_answer(exact, answer)) assert_true(answer.host_count <= DnsAnswer::most_hosts);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(addresses_are_of_the_name_that_was_asked_for),
      cmocka_unit_test(aliases_are_followed),
      cmocka_unit_test(what_is_no_answer_is_none),
      cmocka_unit_test(very_many_are_left_out),
      cmocka_unit_test(anything_is_survived),
  };
  return cmocka_run_group_tests_name("dns_answer", tests, nullptr, nullptr);
}
