// The keys around settings: sections, defaults, rules, and their mistakes.
#include <string>
#include <vector>

#include "policy/policy.h"
#include "tests/policy_text.h"

using namespace gaiter::policy;

namespace {

void globals_and_rules(void**) {
  const Policy policy = load_text(
      "keyring = \"/srv/keys\";\n"
      "unmatched = \"block\";\n"
      "rules = (\n"
      "  { direction = \"inbound\"; local_ports = 6379; client_auth = \"required\"; allow = "
      "\"any-trusted\"; },\n"
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
      {"foo = 1;",
       "1: foo: unknown key; valid here: keyring, unmatched, children, trusted_children, defaults, "
       "rules"},
      {"children = \"no_tcp\";",
       "1: children = \"no_tcp\": unknown value; did you mean \"no-tcp\"?"},
      {"trusted_children = [];", "1: trusted_children: leave it out to trust none"},
      {"trusted_children = [ \"bin/sudo\" ];",
       "1: trusted_children = \"bin/sudo\": expected a program's name or absolute path, such as "
       "\"redis-server\" or \"/usr/bin/*\""},
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
       "2: direction is missing: a rule is \"inbound\", \"outbound\" or \"both\""},
      {"rules = ( { direction = \"in\"; } );",
       "1: direction = \"in\": unknown value; valid here: \"inbound\", \"outbound\", \"both\""},
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
      {"\"reddis\"", "local_ports = \"reddis\": there is no such TCP service in /etc/services"},
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
      {"99999999999", "local_ports = 99999999999: " + any},
  };
  for (const auto& [ports, error] : mistakes)
    expect_text_error(
        "rules = ( { direction = \"inbound\";\n local_ports = " + std::string(ports) + "; } );",
        "2: " + error);
  std::string many = "1";
  for (int i = 2; i <= 101; i++) many += ", " + std::to_string(i * 2);
  expect_text_error("rules = ( { direction = \"inbound\"; local_ports = [ " + many + " ]; } );",
                    "1: local_ports: more than 100 elements; write ranges, or several rules");
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

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(globals_and_rules),
      cmocka_unit_test(wrong_words_in_a_port_file),
      cmocka_unit_test(wrong_words_in_gaiter_conf),
      cmocka_unit_test(wrong_ports),
      cmocka_unit_test(all_errors_in_order_and_nothing_installed),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
