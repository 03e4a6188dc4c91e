// The syntax: what stands where, and what each mistake is told.
#include <random>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/syntax.h"
#include "policy/vocabulary.h"
#include "tests/policy_text.h"

using namespace gaiter::policy;

namespace {

// Of mangled texts; GAITER_FUZZ_ROUNDS asks for more.
const int rounds = getenv("GAITER_FUZZ_ROUNDS") ? atoi(getenv("GAITER_FUZZ_ROUNDS")) : 2000;

void syntax(void**) {
  const std::pair<std::string, const char*> mistakes[] = {
      {"inbound = {\n  tls = required;\n};",
       "2: required: text must stand in quotes: \"required\""},
      {"inbound = {\n  tls = \"required;\n  certificate = \"a\";\n};",
       "2: the text that begins with \" is not closed on its line"},
      {"inbound = {\n  tls = \"off\";\n  tls = \"off\";\n};",
       "3: tls: set twice; the first is on line 2"},
      {"inbound = { };\noutbound = { };\ninbound = { };\n",
       "3: inbound: set twice; the first is on line 1"},
      {"\ninbound = {\n  tls = \"off\";\n", "2: the { that is opened here is never closed with }"},
      {"inbound = {\n};\n};\n", "3: nothing is open that this } could close"},
      {"inbound = {\n  a = [ 1, 2 };\n", "2: found } where ] must close the [ of line 2"},
      {"/* a\ncomment */\n/* inbound = { };\n", "3: the comment that begins here is never closed"},
      {"@include", "1: expected a file's name in quotes after @include"},
      {"a = [ @include \"a\" ];", "1: expected a value after '[', found '@include'"},
      {"a = @include \"a\";", "1: expected a value after '=', found '@include'"},
      {"a = \"\\q\";",
       "1: an unknown escape in \"\\q\"; these are known: \\\" \\\\ \\n \\r \\t \\f \\xNN"},
      {"a = \"\\x1\";",
       "1: an unknown escape in \"\\x1\"; these are known: \\\" \\\\ \\n \\r \\t \\f \\xNN"},
      {"a = 0x11112222333344445555;", "1: a number with too many digits"},
      {"inbound { };", "1: inbound: expected = after it"},
      {"\ninbound", "2: inbound: expected = after it"},
      {"inbound = ;", "1: expected a value after '=', found ';'"},
      {"inbound =\n\n", "1: expected a value after '='"},
      {"inbound = {\n  tls \"off\";\n};", "2: tls: expected = after it"},
      {"inbound = { };;", "1: expected a key, found ';'"},
      {"!", "1: expected a key, found '!'"},
      {"= { };", "1: expected a key, found '='"},
      {"\"inbound\" = { };", "1: expected a key, found \"inbound\""},
      {"a = [ { } ];", "1: an array [ ] holds plain values only; use a list ( )"},
      {"a = ( 1, );", "1: expected a value after ',', found ')'"},
      {"a = ( 1 2 );", "1: expected , before 2"},
      {"a = 5x;", "1: not a number, and text stands in quotes"},
      {"a = 10.0.0.1;", "1: not a number, and text stands in quotes"},
      {"a = \x1b;", "1: expected a value after '=', found '\\x1b'"},
      {"inbound = { tls = \"off\\x00\"; };", "1: a text must not contain the character \\x00"},
      {"inbound = { tls = \"off\" \"off\"; };", "1: expected ; before \"off\""},
      {std::string("inbound = { };\n\0", 16), "2: a NUL byte: this is not a text file"},
      {std::string("name = \"a\0b\";", 13), "1: a NUL byte: this is not a text file"},
      {"\xef\xbb\xbfinbound = { };", "1: a byte order mark: save the file as UTF-8 without it"},
      {"a = " + std::string(40, '('), "1: brackets are nested too deep"},
      {"a = \"\\", "1: the text that begins with \" is not closed on its line"},
  };
  for (const auto& [text, error] : mistakes) expect_port_error(text, error);
  // What looks wrong and is not.
  load_port("inbound = { }; # no newline");
  load_port("# @include \"a\"\r\n// {\r\ninbound : /* { */ {\r\n tls = \"off\", };\r\n");
  load_text("rules = ( { direction = \"inbound\"; name = \"a \\\" } @include\" } )");
}

void suggestions(void**) {
  assert_int_equal(edit_distance("", ""), 0);
  assert_int_equal(edit_distance("abc", ""), 3);
  assert_int_equal(edit_distance("requierd", "required"), 1);
  assert_int_equal(edit_distance("TLSV1.2", "TLSv1.2"), 0);
  assert_int_equal(edit_distance("ca", "abc"), 3);
  const std::string_view words[] = {"inbound", "outbound"};
  assert_true(nearest("onbound", words) == "inbound");
  assert_true(nearest("outbond", words) == "outbound");
  assert_true(nearest("x", words).empty());
  assert_true(nearest(std::string(100000, 'x'), words).empty());
  assert_string_equal(quote(std::string(70, 'a')).c_str(),
                      ("\"" + std::string(60, 'a') + "...\"").c_str());
  assert_string_equal(quote("a\x1b[1m\n").c_str(), "\"a\\x1b[1m\\x0a\"");
  assert_string_equal((Error{"", 0, "m"}.text().c_str()), "m");
  assert_string_equal((Error{"f", 0, "m"}.text().c_str()), "f: m");
  assert_string_equal((Error{"f", 7, "m"}.text().c_str()), "f:7: m");
}

// Whatever is thrown at it, it answers in one line each.
void mangled_policies_never_crash(void**) {
  const std::string seed =
      "keyring = \"/k\"; unmatched = \"block\"; # comment\n"
      "defaults = { inbound = { client_auth = \"none\"; handshake_timeout = 0.5; }; };\n"
      "rules = ( { direction = \"inbound\"; local_ports = ( 1, \"2-3\" ); /* x */ name = \"a\"; "
      "},\n"
      "  { direction = \"outbound\"; remote_ports = [ 443, 0x10 ]; verify = \"chain\"; } );\n";
  const std::string alphabet = "{}()[]=:;,\"\\#/*@.-+0123456789aeLxtru \n\t\r\xff";
  std::mt19937 random(20240607);
  const auto below = [&](size_t n) { return random() % n; };
  int accepted = 0;
  for (int round = 0; round < rounds; round++) {
    std::string text = seed;
    if (round % 4 == 0) text = text.substr(below(text.size()), below(80));
    for (size_t edits = below(6) + 1; edits > 0; edits--) {
      const size_t at = below(text.size() + 1);
      switch (below(4)) {
        case 0:
          text.insert(at, 1, alphabet[below(alphabet.size())]);
          break;
        case 1:
          text.erase(at, below(12));
          break;
        case 2:
          text.insert(at, text.substr(below(text.size() + 1), below(20)));
          break;
        case 3:
          if (at < text.size()) text[at] = alphabet[below(alphabet.size())];
      }
    }
    const auto errors = Policy::check({"", text});
    if (errors.empty()) accepted++;
    for (const Error& error : errors)
      assert_true(error.text().find_first_of("\n\x1b") == std::string::npos);
  }
  assert_in_range(accepted, 1, rounds - 1);
}

void random_bytes_never_crash(void**) {
  std::mt19937 random(7);
  for (int round = 0; round < rounds; round++) {
    std::string text(random() % 64, '\0');
    for (char& c : text) c = static_cast<char>(random());
    Policy::check({"", text});
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(syntax),
      cmocka_unit_test(suggestions),
      cmocka_unit_test(mangled_policies_never_crash),
      cmocka_unit_test(random_bytes_never_crash),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
