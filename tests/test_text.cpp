// Text of others: what may be shown as it is, and what not.
#include "base/text.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <random>

extern "C" {
#include <cmocka.h>
}

using namespace gaiter::base;

namespace {

std::string utf8(char32_t code) {
  std::string text;
  const auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6), add(0x80 | (code & 63));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12), add(0x80 | (code >> 6 & 63)), add(0x80 | (code & 63));
  } else {
    add(0xf0 | code >> 18), add(0x80 | (code >> 12 & 63));
    add(0x80 | (code >> 6 & 63)), add(0x80 | (code & 63));
  }
  return text;
}

void every_character_is_read(void**) {
  for (char32_t code = 0; code != 0x110000; ++code) {
    const std::string text = utf8(code) + "x";
    const Character first = first_character(text);
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    assert_int_equal(first.length, surrogate ? 0 : text.size() - 1);
    if (!surrogate) assert_int_equal(first.code, code);
  }
}

void words_stay_as_they_are(void**) {
  for (const char* text : {"", "CN=J\xc3\xbcrgen,O=Example\\, Inc.", "\xe6\xb5\x8b\xe8\xaf\x95",
                           "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xf0\x9f\x94\x92", "e\xcc\x81"}) {
    assert_true(is_visible(text));
    assert_string_equal(printable(text).c_str(), text);
  }
}

void what_steers_is_escaped(void**) {
  for (const char32_t code :
       {0x00,   0x07,   0x0a,   0x1b,   0x7f,   0x80,   0x9b,   0x9f,   0xad,   0x61c,
        0x200b, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d,
        0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0xe0041}) {
    assert_false(is_visible("a" + utf8(code)));
    assert_true(is_visible(printable("a" + utf8(code) + "b")));
  }
  assert_string_equal(printable("a\xe2\x80\xae"
                                "b")
                          .c_str(),
                      "a\\xe2\\x80\\xae"
                      "b");
  assert_string_equal(printable("\x1b[31m\n").c_str(), "\\x1b[31m\\x0a");
}

void what_is_no_text_is_escaped(void**) {
  assert_string_equal(printable("\xff\xc0\xaf").c_str(), "\\xff\\xc0\\xaf");
  assert_string_equal(printable("\xed\xa0\x80").c_str(), "\\xed\\xa0\\x80");
  assert_string_equal(printable("\xe2\x80").c_str(), "\\xe2\\x80");
  std::mt19937 random(3629);
  for (int round = 0; round != 20'000; ++round) {
    std::string text(random() % 30, '\0');
    for (char& c : text) c = static_cast<char>(random() % 2 == 0 ? random() : 0xe2 + random() % 3);
    const std::string shown = printable(text);
    assert_true(is_visible(shown));
    if (is_visible(text)) assert_string_equal(shown.c_str(), text.c_str());
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_character_is_read),
      cmocka_unit_test(words_stay_as_they_are),
      cmocka_unit_test(what_steers_is_escaped),
      cmocka_unit_test(what_is_no_text_is_escaped),
  };
  return cmocka_run_group_tests_name("text", tests, nullptr, nullptr);
}
