// The policy language: every key and value, and what each mistake is told.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/syntax.h"
#include "policy/vocabulary.h"
#include "tests/policy_folder.h"

extern "C" {
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
}

using namespace gaiter::policy;
using namespace std::chrono_literals;

namespace {

// Of mangled texts; GAITER_FUZZ_ROUNDS asks for more.
const int rounds = getenv("GAITER_FUZZ_ROUNDS") ? atoi(getenv("GAITER_FUZZ_ROUNDS")) : 2000;

Policy load_text(const std::string& text) {
  auto policy = Policy::load({"", text});
  if (!policy) fail_msg("%s", policy.error().text().c_str());
  return std::move(*policy);
}

// The policy of a file named 6379.conf.
Policy load_port(const std::string& text) {
  Folder folder;
  auto policy = Policy::load({folder.write("6379.conf", text), ""});
  if (!policy) fail_msg("%s", policy.error().text().c_str());
  return std::move(*policy);
}

void expect_text_error(const std::string& text, const std::string& error) {
  const std::string got = check({"", text});
  const std::string wanted = "GAITER_POLICY_TEXT:" + error + "\n";
  if (got != wanted)
    fail_msg("for: %s\ngot:    %swanted: %s", text.c_str(), got.c_str(), wanted.c_str());
  assert_false(Policy::load({"", text}).has_value());
}

void expect_port_error(const std::string& text, const std::string& error) {
  Folder folder;
  const std::string file = folder.write("6379.conf", text);
  const std::string got = check({file, ""});
  const std::string wanted = file + ":" + error + "\n";
  if (got != wanted)
    fail_msg("for: %s\ngot:    %swanted: %s", text.c_str(), got.c_str(), wanted.c_str());
}

void every_key_and_value(void**) {
  const Policy policy = load_port(
      "inbound = {\n"
      "  tls = \"block\"; certificate = \"redis\"; client_auth = \"optional\";\n"
      "  min_version = \"TLSv1.3\"; handshake_timeout = 0.5; truncation = \"eof\";\n"
      "};\n"
      "outbound = {\n"
      "  tls = \"off\"; certificate = \"batch-job@host\"; verify = \"chain\";\n"
      "  server_name = \"redis.internal\"; handshake_timeout = 600;\n"
      "};\n");
  assert_int_equal(policy.rules().size(), 2);
  const Rule& in = policy.rules()[0];
  assert_string_equal(in.name.c_str(), "6379.conf:inbound");
  assert_true(in.file.ends_with("/6379.conf"));
  assert_int_equal(in.line, 1);
  assert_true(in.direction == Direction::inbound);
  assert_string_equal(to_string(in.local_ports).c_str(), "6379");
  assert_string_equal(to_string(in.remote_ports).c_str(), "any");
  assert_true(in.settings.tls == Tls::block);
  assert_true(in.settings.certificates == std::vector<std::string>{"redis"});
  assert_true(in.settings.client_auth == ClientAuth::optional);
  assert_true(in.settings.min_version == Version::tls13);
  assert_true(in.settings.handshake_timeout == 500ms);
  assert_true(in.settings.truncation == Truncation::eof);
  const Rule& out = policy.rules()[1];
  assert_string_equal(out.name.c_str(), "6379.conf:outbound");
  assert_int_equal(out.line, 5);
  assert_string_equal(to_string(out.local_ports).c_str(), "any");
  assert_string_equal(to_string(out.remote_ports).c_str(), "6379");
  assert_true(out.settings.tls == Tls::off);
  assert_true(out.settings.certificates == std::vector<std::string>{"batch-job@host"});
  assert_true(out.settings.verify == Verify::chain);
  assert_string_equal(out.settings.server_name.c_str(), "redis.internal");
  assert_true(out.settings.min_version == Version::tls12);
  assert_true(out.settings.handshake_timeout == 600s);
  assert_true(out.settings.truncation == Truncation::error);
}

void every_word(void**) {
  const auto inbound = [](const std::string& text) {
    return load_port("inbound = { " + text + " };").rules()[0].settings;
  };
  const auto outbound = [](const std::string& text) {
    return load_port("outbound = { " + text + " };").rules()[0].settings;
  };
  for (const auto& word : tls_words)
    assert_true(inbound("tls = " + quote(word.text)).tls == word.value);
  for (const auto& word : client_auth_words)
    assert_true(inbound("client_auth = " + quote(word.text)).client_auth == word.value);
  for (const auto& word : verify_words)
    assert_true(outbound("verify = " + quote(word.text)).verify == word.value);
  for (const auto& word : version_words)
    assert_true(inbound("min_version = " + quote(word.text)).min_version == word.value);
  for (const auto& word : truncation_words)
    assert_true(outbound("truncation = " + quote(word.text)).truncation == word.value);
  for (const auto& word : unmatched_words)
    assert_true(load_text("unmatched = " + quote(word.text)).unmatched() == word.value);
  for (const char* name : {"a", "db_1.example", "10.0.0.1", "::1", "xn--bcher-kva.example"})
    assert_string_equal(outbound("server_name = " + quote(name)).server_name.c_str(), name);
  assert_true(inbound("handshake_timeout = 0.1").handshake_timeout == 100ms);
  assert_true(inbound("handshake_timeout = 5L").handshake_timeout == 5s);
}

void built_in_defaults(void**) {
  const Policy policy = load_port("inbound = {}; outbound = {};");
  for (const Rule& rule : policy.rules()) {
    assert_true(rule.settings.tls == Tls::required);
    assert_int_equal(rule.settings.certificates.size(), rule.is_tls_server() ? 1 : 0);
    assert_true(rule.settings.client_auth == ClientAuth::none);
    assert_true(rule.settings.verify == Verify::full);
    assert_true(rule.settings.server_name.empty());
    assert_true(rule.settings.min_version == Version::tls12);
    assert_true(rule.settings.handshake_timeout == 10s);
    assert_true(rule.settings.truncation == Truncation::error);
  }
  const Policy empty = load_text("");
  assert_true(empty.rules().empty());
  assert_true(empty.unmatched() == Unmatched::pass);
  assert_string_equal(empty.keyring().c_str(), "");
}

void globals_and_rules(void**) {
  const Policy policy = load_text(
      "keyring = \"/srv/keys\";\n"
      "unmatched = \"block\";\n"
      "rules = (\n"
      "  { direction = \"inbound\"; local_ports = 6379; client_auth = \"required\"; },\n"
      "  { name = \"shards\"; direction = \"outbound\"; remote_ports = [ 80, 443 ];\n"
      "    local_ports = ( 7, \"6000-6100\" ); verify = \"none\"; },\n"
      "  { direction = \"outbound\"; remote_ports = [ \"1-2\", \"9\" ]; }\n"
      ");\n");
  assert_string_equal(policy.keyring().c_str(), "/srv/keys");
  assert_true(policy.unmatched() == Unmatched::block);
  assert_int_equal(policy.rules().size(), 3);
  assert_string_equal(policy.rules()[0].name.c_str(), "rule 1");
  assert_string_equal(policy.rules()[0].file.c_str(), "GAITER_POLICY_TEXT");
  assert_int_equal(policy.rules()[0].line, 4);
  assert_true(policy.rules()[0].settings.client_auth == ClientAuth::required);
  assert_string_equal(policy.rules()[1].name.c_str(), "shards");
  assert_int_equal(policy.rules()[1].line, 5);
  assert_string_equal(to_string(policy.rules()[1].local_ports).c_str(), "7, 6000-6100");
  assert_string_equal(to_string(policy.rules()[1].remote_ports).c_str(), "80, 443");
  assert_string_equal(policy.rules()[2].name.c_str(), "rule 3");
  assert_string_equal(to_string(policy.rules()[2].remote_ports).c_str(), "1-2, 9");
}

// Text over gaiter.conf over the built-in; a rule's own word over all of them.
void defaults_and_origins(void**) {
  Folder folder;
  const std::string conf = folder.write("gaiter.conf",
                                        "keyring = \"/a\"; unmatched = \"pass\";\n"
                                        "defaults = {\n"
                                        "  inbound = { client_auth = \"required\";\n"
                                        "              handshake_timeout = 3; };\n"
                                        "  outbound = { server_name = \"x\"; };\n"
                                        "};\n"
                                        "rules = ( { direction = \"inbound\"; } );\n");
  const std::string port =
      folder.write("policy.d/6379.conf", "inbound = {\n  truncation = \"eof\";\n};\n");
  const Policy policy =
      std::move(*Policy::load({folder.path(),
                               "keyring = \"/b\"; unmatched = \"block\";\n"
                               "defaults = { inbound = { handshake_timeout = 4; }; };\n"
                               "rules = ( { direction = \"outbound\"; server_name = \"\"; } );"}));
  assert_string_equal(policy.keyring().c_str(), "/b");
  assert_true(policy.unmatched() == Unmatched::block);
  assert_int_equal(policy.rules().size(), 3);
  assert_string_equal(policy.rules()[0].name.c_str(), "rule 1");
  assert_string_equal(policy.rules()[0].settings.server_name.c_str(), "");
  assert_string_equal(policy.rules()[1].name.c_str(), "gaiter.conf:rule 1");
  assert_true(policy.rules()[1].settings.client_auth == ClientAuth::required);
  assert_true(policy.rules()[1].settings.handshake_timeout == 4s);

  std::string shown;
  for (const EffectiveSetting& setting : policy.effective(policy.rules()[2]))
    shown += std::string(setting.key) + " = " + setting.value + " (" + setting.origin + ")\n";
  const std::string wanted =
      "tls = \"required\" (default)\n"
      "certificate = \"\" (default)\n"
      "client_auth = \"required\" (" +
      conf +
      ":3)\n"
      "min_version = \"TLSv1.2\" (default)\n"
      "handshake_timeout = 4 (GAITER_POLICY_TEXT:2)\n"
      "truncation = \"eof\" (" +
      port + ":2)\n";
  assert_string_equal(shown.c_str(), wanted.c_str());
  assert_int_equal(policy.effective(policy.rules()[0]).size(), 7);
}

void wrong_words_in_a_section(void**) {
  const std::string in = "inbound = {\n  ", out = "outbound = {\n  ", end = ";\n};\n";
  const std::pair<const char*, const char*> inbound[] = {
      {"tls = \"requierd\"", "2: tls = \"requierd\": unknown value; did you mean \"required\"?"},
      {"tls = \"Off\"", "2: tls = \"Off\": unknown value; did you mean \"off\"?"},
      {"tls = \"sometimes\"",
       "2: tls = \"sometimes\": unknown value; valid here: \"required\", \"optional\", \"off\", "
       "\"block\""},
      {"tls = \"\"",
       "2: tls = \"\": unknown value; valid here: \"required\", \"optional\", \"off\", \"block\""},
      {"tls = true",
       "2: tls: expected one of \"required\", \"optional\", \"off\", \"block\", not true or false"},
      {"tls = 1",
       "2: tls: expected one of \"required\", \"optional\", \"off\", \"block\", not an integer"},
      {"tsl = \"off\"", "2: tsl: unknown key; did you mean tls?"},
      {"client-auth = \"none\"", "2: client-auth: unknown key; did you mean client_auth?"},
      {"certificat = \"a\"", "2: certificat: unknown key; did you mean certificate?"},
      {"colour = \"red\"",
       "2: colour: unknown key; valid here: tls, certificate, client_auth, min_version, "
       "handshake_timeout, truncation"},
      {"verify = \"full\"", "2: verify: belongs to outbound, not to inbound"},
      {"server_name = \"a\"", "2: server_name: belongs to outbound, not to inbound"},
      {"local_ports = 1", "2: local_ports: belongs to a rule in gaiter.conf"},
      {"client_auth = \"require\"",
       "2: client_auth = \"require\": unknown value; did you mean \"required\"?"},
      {"certificate = 5", "2: certificate: expected text in quotes, not an integer"},
      {"certificate = [\"a\"]", "2: certificate: expected text in quotes, not an array [ ]"},
      {"certificate = \"/etc/ssl/a.pem\"",
       "2: certificate = \"/etc/ssl/a.pem\": not a label; expected the label of an entry of the "
       "keyring, not a file (gaiter keyring list shows the labels)"},
      {"min_version = \"TLSv1.1\"",
       "2: min_version = \"TLSv1.1\": too old: RFC 8996 forbids TLS 1.0 and 1.1; \"TLSv1.2\" is "
       "the "
       "oldest that Gaiter speaks"},
      {"min_version = \"sslv3\"",
       "2: min_version = \"sslv3\": too old: SSL is broken; \"TLSv1.2\" is the oldest that Gaiter "
       "speaks"},
      {"min_version = \"TLS1.3\"",
       "2: min_version = \"TLS1.3\": unknown value; did you mean \"TLSv1.3\"?"},
      {"min_version = 1.3",
       "2: min_version: expected one of \"TLSv1.2\", \"TLSv1.3\", not a number with a fraction"},
      {"handshake_timeout = 0",
       "2: handshake_timeout = 0: out of range; expected seconds, from 0.1 to 600"},
      {"handshake_timeout = 600.5",
       "2: handshake_timeout = 600.5: out of range; expected seconds, from 0.1 to 600"},
      {"handshake_timeout = -5",
       "2: handshake_timeout = -5: out of range; expected seconds, from 0.1 to 600"},
      {"handshake_timeout = 1e999",
       "2: handshake_timeout = inf: out of range; expected seconds, from 0.1 to 600"},
      {"handshake_timeout = \"10\"",
       "2: handshake_timeout: expected seconds, from 0.1 to 600, not text"},
      {"truncation = \"oef\"", "2: truncation = \"oef\": unknown value; did you mean \"eof\"?"},
  };
  for (const auto& [text, error] : inbound) expect_port_error(in + text + end, error);
  const std::pair<const char*, const char*> outbound[] = {
      {"client_auth = \"none\"", "2: client_auth: belongs to inbound, not to outbound"},
      {"verify = \"ful\"", "2: verify = \"ful\": unknown value; did you mean \"full\"?"},
      {"server_name = \"a b\"",
       "2: server_name = \"a b\": not a host name; expected one name or address, such as "
       "\"db.example\""},
      {"server_name = \"https://a\"",
       "2: server_name = \"https://a\": not a host name; expected one name or address, such as "
       "\"db.example\""},
      {"server_name = \"a..b\"",
       "2: server_name = \"a..b\": not a host name; expected one name or address, such as "
       "\"db.example\""},
      {"server_name = \"x\\x0a2026 forged\"",
       "2: server_name = \"x\\x0a2026 forged\": not a host name; expected one name or address, "
       "such "
       "as \"db.example\""},
      {"server_name = ( )", "2: server_name: expected text in quotes, not a list ( )"},
  };
  for (const auto& [text, error] : outbound) expect_port_error(out + text + end, error);
}

void wrong_words_in_a_port_file(void**) {
  expect_port_error("inbuond = { };", "1: inbuond: unknown key; did you mean inbound?");
  expect_port_error("server = { };", "1: server: unknown key; valid here: inbound, outbound");
  expect_port_error("\n\ntls = \"off\";", "3: tls: belongs inside inbound = { } or outbound = { }");
  expect_port_error("unmatched = \"block\";", "1: unmatched: belongs in gaiter.conf");
  expect_port_error("inbound = \"tls\";", "1: inbound: expected a group { }, not text");
  Folder folder;
  const std::string file = folder.write("6379.conf", "# nothing\n");
  assert_string_equal(check({file, ""}).c_str(),
                      (file + ": says nothing: expected inbound = { }, outbound = { }\n").c_str());
}

void wrong_words_in_gaiter_conf(void**) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"keyrings = \"/a\";", "1: keyrings: unknown key; did you mean keyring?"},
      {"foo = 1;", "1: foo: unknown key; valid here: keyring, unmatched, defaults, rules"},
      {"keyring = \"~/keys\";",
       "1: keyring = \"~/keys\": ~ is not expanded; expected an absolute path"},
      {"keyring = \"keys\";",
       "1: keyring = \"keys\": expected an absolute path, such as \"/etc/gaiter/keyring\""},
      {"keyring = \"\";",
       "1: keyring = \"\": expected an absolute path, such as \"/etc/gaiter/keyring\""},
      {"keyring = 1;", "1: keyring: expected text in quotes, not an integer"},
      {"unmatched = \"blok\";", "1: unmatched = \"blok\": unknown value; did you mean \"block\"?"},
      {"inbound = { };",
       "1: inbound: belongs in a file named for its port, such as policy.d/6379.conf, or here in "
       "defaults or a rule"},
      {"tls = \"off\";",
       "1: tls: belongs in a file named for its port, such as policy.d/6379.conf, or here in "
       "defaults or a rule"},
      {"defaults = ( );", "1: defaults: expected a group { }, not a list ( )"},
      {"defaults = {\n inboud = { }; };", "2: inboud: unknown key; did you mean inbound?"},
      {"defaults = {\n tls = \"off\"; };",
       "2: tls: belongs inside inbound = { } or outbound = { }"},
      {"defaults = { inbound = {\n verify = \"none\"; }; };",
       "2: verify: belongs to outbound, not to inbound"},
      {"defaults = { inbound = {\n name = \"a\"; }; };",
       "2: name: belongs to a rule in gaiter.conf"},
      {"rules = { };",
       "1: rules: expected a list of groups, ( { ... }, { ... } ), not a group { }"},
      {"rules = ( 5 );", "1: rules: expected a group { } for each rule, not an integer"},
      {"rules = (\n { tls = \"off\"; } );",
       "2: direction is missing: a rule is \"inbound\" or \"outbound\""},
      {"rules = ( { direction = \"in\"; } );",
       "1: direction = \"in\": unknown value; valid here: \"inbound\", \"outbound\""},
      {"rules = ( { direction = \"oubtound\"; } );",
       "1: direction = \"oubtound\": unknown value; did you mean \"outbound\"?"},
      {"rules = ( { direction = \"inbound\"; local_port = 5; } );",
       "1: local_port: unknown key; did you mean local_ports?"},
      {"rules = ( { direction = \"inbound\"; name = \"\"; } );",
       "1: name = \"\": expected a short name of printable characters"},
      {"rules = ( { direction = \"inbound\"; name = \"a\"; },\n{ direction = \"inbound\"; name = "
       "\"a\"; } );",
       "2: name = \"a\": another rule has this name already"},
      {"rules = ( { direction = \"inbound\"; verify = \"none\"; } );",
       "1: verify: belongs to outbound, not to inbound"},
  };
  for (const auto& [text, error] : mistakes) expect_text_error(text, error);
}

void wrong_ports(void**) {
  const std::string any = "expected a port from 1 to 65535, or a range such as \"6000-6100\"";
  const std::pair<const char*, std::string> mistakes[] = {
      {"0", "local_ports = 0: " + any},
      {"65536", "local_ports = 65536: " + any},
      {"-1", "local_ports = -1: " + any},
      {"\"\"", "local_ports = \"\": " + any},
      {"\"0-5\"", "local_ports = \"0-5\": " + any},
      {"\"5-\"", "local_ports = \"5-\": " + any},
      {"\"5-6-7\"", "local_ports = \"5-6-7\": " + any},
      {"\"redis\"", "local_ports = \"redis\": " + any},
      {"\"0080\"", "local_ports = \"0080\": " + any},
      {"\"9-5\"", "local_ports = \"9-5\": the range ends before it begins; did you mean \"5-9\"?"},
      {"[ 1, 99999 ]", "local_ports = 99999: " + any},
      {"6000.5",
       "local_ports: expected a port, a range such as \"6000-6100\", or a list of these, not a "
       "number with a fraction"},
      {"true",
       "local_ports: expected a port, a range such as \"6000-6100\", or a list of these, not true "
       "or false"},
      {"[ ]", "local_ports: matches nothing when empty; leave it out to match any port"},
      {"( )", "local_ports: matches nothing when empty; leave it out to match any port"},
      {"[ 1, \"2\" ]", "an array [ ] holds values of one type; a list ( ) may mix them"},
      {"99999999999", "a number with too many digits"},
  };
  for (const auto& [ports, error] : mistakes)
    expect_text_error(
        "rules = ( { direction = \"inbound\";\n local_ports = " + std::string(ports) + "; } );",
        "2: " + error);
  std::string many = "1";
  for (int i = 2; i <= 101; i++) many += ", " + std::to_string(i * 2);
  expect_text_error("rules = ( { direction = \"inbound\"; local_ports = [ " + many + " ]; } );",
                    "1: local_ports: more than 100 ports; write ranges, or several rules");
}

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
      {"@include \"/etc/passwd\"\n",
       "1: @include is not supported; rules may be spread over policy.d"},
      {"inbound = {\n \t@include \"a\"\n};",
       "2: @include is not supported; rules may be spread over policy.d"},
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
      {"a = " + std::string(40, '('), "1: brackets are nested too deep"},
      {"a = \"\\", "1: the text that begins with \" is not closed on its line"},
  };
  for (const auto& [text, error] : mistakes) expect_port_error(text, error);
  // What looks wrong and is not.
  load_port("inbound = { }; # no newline");
  load_port("# @include \"a\"\r\n// {\r\ninbound : /* { */ {\r\n tls = \"off\", };\r\n");
  load_text("rules = ( { direction = \"inbound\"; name = \"a \\\" } @include\" } )");
}

void all_errors_in_order_and_nothing_installed(void**) {
  Folder folder;
  const std::string conf = folder.write("gaiter.conf", "unmatched = 1;\nkeyring = 2;\n");
  const std::string good = folder.write("policy.d/1.conf", "inbound = { };");
  const std::string two =
      folder.write("policy.d/2.conf", "inbound = {\n tls = 1;\n tsl = 2;\n};\noutbund = { };");
  const std::string ten = folder.write("policy.d/10.conf", "inbound = {");
  std::vector<std::string> where;
  for (const Error& error : Policy::check({folder.path(), "defaults = 5;"}))
    where.push_back(error.file + ":" + std::to_string(error.line));
  const std::vector<std::string> wanted = {"GAITER_POLICY_TEXT:1",
                                           conf + ":1",
                                           conf + ":2",
                                           two + ":2",
                                           two + ":3",
                                           two + ":5",
                                           ten + ":1"};
  assert_true(where == wanted);
  const auto loaded = Policy::load({folder.path(), ""});
  assert_false(loaded.has_value());
  assert_string_equal(loaded.error().file.c_str(), conf.c_str());
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
    // libconfig is only ever given what it accepts: it leaks on errors.
    if (const auto tree = parse(text); !tree && !find_mistake(text))
      fail_msg("%d: %s\n%s", tree.error().line, tree.error().message.c_str(), text.c_str());
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

// Each example of the guides is the file that its first line names.
void examples_of_the_guides(void**) {
  for (const char* guide : {"docs/policy.md", "policy/GRAMMAR.md"}) {
    std::ifstream stream(guide);
    assert_true(stream.good());
    std::string line, block, name;
    bool inside = false;
    int examples = 0;
    while (std::getline(stream, line)) {
      if (line.starts_with("```")) {
        if (inside) {
          Folder folder;
          const Source source{folder.write(name, block), ""};
          const std::string errors = check(source);
          if (!errors.empty()) fail_msg("%s: %s\n%s", guide, name.c_str(), errors.c_str());
          examples++;
        }
        inside = line == "```libconfig";
        name.clear();
        block.clear();
      } else if (inside) {
        if (block.empty()) name = line.substr(line.find_last_of("/ ") + 1);
        block += line + "\n";
      }
    }
    assert_true(examples > 0);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_key_and_value),
      cmocka_unit_test(every_word),
      cmocka_unit_test(built_in_defaults),
      cmocka_unit_test(globals_and_rules),
      cmocka_unit_test(defaults_and_origins),
      cmocka_unit_test(wrong_words_in_a_section),
      cmocka_unit_test(wrong_words_in_a_port_file),
      cmocka_unit_test(wrong_words_in_gaiter_conf),
      cmocka_unit_test(wrong_ports),
      cmocka_unit_test(syntax),
      cmocka_unit_test(all_errors_in_order_and_nothing_installed),
      cmocka_unit_test(suggestions),
      cmocka_unit_test(mangled_policies_never_crash),
      cmocka_unit_test(random_bytes_never_crash),
      cmocka_unit_test(examples_of_the_guides),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
