// Names beyond ASCII as A-labels.
#include "shim/a_labels.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::shim;

namespace {

std::string encoded(const std::string& name) {
  NameText text;
  const size_t length = to_a_labels(name, text);
  return {text, length};
}

void names_are_encoded(void**) {
  // RFC 3492 7.1, in lower case, and what is seen in the wild.
  const struct {
    const char *name, *label;
  } cases[] = {
      {"bücher.internal", "xn--bcher-kva.internal"},
      {"münchen.de", "xn--mnchen-3ya.de"},
      {"ü", "xn--tda"},
      {"a.例え.テスト", "a.xn--r8jz45g.xn--zckzah"},
      {"правда.рф", "xn--80aafi6cg.xn--p1ai"},
      {"faß.example", "xn--fa-hia.example"},
      {"他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"},
      {"ليهمابتكلموشعربي؟", "xn--egbpdaj6bu4bxfgehfvwxn"},
      {"3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"},
      {"💩.la", "xn--ls8h.la"},
      {"plain.example", "plain.example"},
      {"xn--bcher-kva.internal.", "xn--bcher-kva.internal."},
      {"", ""},
  };
  for (const auto& one : cases) assert_string_equal(encoded(one.name).c_str(), one.label);
}

void what_is_no_name_is_none(void**) {
  for (const char* name :
       {"b\xfc"
        "cher.internal",
        "\xc3", "a.\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"})
    assert_string_equal(encoded(name).c_str(), "");
  std::string longest;
  for (int i = 0; i < 56; ++i) longest += "ü";
  assert_string_equal(encoded(longest + "üüüüüüüü").c_str(), "");
  std::string name;
  for (int i = 0; i < 60; ++i) name += "bücher.";
  assert_string_equal(encoded(name).c_str(), "");
}

void nothing_overflows(void**) {
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string name;
    const size_t length = random() % 300;
    while (name.size() < length) {
      switch (random() % 4) {
        case 0:
          name += static_cast<char>(random());
          break;
        case 1:
          name += '.';
          break;
        case 2:
          name += "ü";
          break;
        default:
          name += "\xf4\x8f\xbf\xbf";
      }
    }
    const std::string result = encoded(name);
    assert_true(result.size() <= longest_name && is_ascii(result));
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(names_are_encoded),
      cmocka_unit_test(what_is_no_name_is_none),
      cmocka_unit_test(nothing_overflows),
  };
  return cmocka_run_group_tests_name("a_labels", tests, nullptr, nullptr);
}
