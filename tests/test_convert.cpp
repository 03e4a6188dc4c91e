// What becomes of the configurations of stunnel and of AT-TLS, piece by piece.
#include "cli/convert.h"

#include <string>

#include "cli/at_tls_file.h"
#include "cli/foreign_words.h"
#include "cli/stunnel_file.h"
#include "policy/policy.h"

extern "C" {
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
}

using namespace gaiter;
using namespace gaiter::cli;

namespace {

bool has(const std::string& text, const char* part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) print_error("\"%s\" is not in: %s\n", part, text.c_str());
  return found;
}

// What was converted, as Gaiter reads it.
policy::Policy read(const Conversion& conversion) {
  auto policy = policy::Policy::load({"", conversion.policy()});
  if (!policy) print_error("%s\n", policy.error().text().c_str());
  assert_true(policy.has_value());
  return std::move(*policy);
}

// ---- stunnel ----

void services_and_their_options(void**) {
  const auto file = parse_stunnel(
      "; a comment\nfoo = 1\n[one]\nClient = yes\naccept = 80\n\n[two]\ncert=/a b.pem\n", "s.conf");
  assert_true(file.has_value());
  assert_int_equal(file->global.size(), 1);
  assert_int_equal(file->services.size(), 2);
  const StunnelService& one = file->services[0];
  assert_true(one.name == "one" && one.line == 3 && one.options.size() == 2);
  assert_true(one.options[0].name == "client" && one.options[0].written == "Client");
  assert_true(one.options[0].value == "yes" && one.options[0].line == 4);
  assert_true(file->services[1].options[0].value == "/a b.pem");
  const auto wrong = parse_stunnel("[one]\nno equals sign\n", "s.conf");
  assert_false(wrong.has_value());
  assert_true(has(wrong.error().text(), "s.conf:2: "));
}

void a_service_becomes_a_rule(void**) {
  const auto made = convert_stunnel(
      "[in]\naccept = 6390\nconnect = 127.0.0.1:6379\ncert = /etc/redis.pem\n"
      "[out]\nclient = yes\naccept = 127.0.0.1:5433\nconnect = db.example:5432\n",
      "s.conf");
  assert_true(made.has_value());
  const policy::Policy policy = read(*made);
  assert_int_equal(policy.rules().size(), 2);
  const policy::Rule& in = policy.rules()[0];
  assert_true(in.name == "in" && in.direction == policy::Direction::inbound);
  assert_true(in.local_ports == std::vector<policy::PortRange>({{6379, 6379}}));
  assert_true(in.settings.certificates == std::vector<std::string>{"redis"});
  const policy::Rule& out = policy.rules()[1];
  assert_true(out.direction == policy::Direction::outbound);
  assert_true(out.remote_ports == std::vector<policy::PortRange>({{5432, 5432}}));
  assert_true(out.settings.verify == policy::Verify::none);  // as stunnel does
}

// ---- AT-TLS ----

void references_are_followed(void**) {
  const auto file = AtTlsFile::parse(
      "TTLSRule one # comment\n{\n  LocalPortRangeRef ports\n}\n"
      "PortRange ports\n{\n  Port 992\n}\n",
      "a.policy");
  assert_true(file.has_value());
  assert_int_equal(file->statements().size(), 2);
  const AtTlsStatement& rule = file->statements()[0];
  assert_true(rule.keyword == "ttlsrule" && rule.value == "one" && rule.has_body);
  const auto parameters = file->parameters(rule.body[0]);
  assert_true(parameters.has_value() && parameters->size() == 1);
  assert_true((*parameters)[0]->keyword == "port" && (*parameters)[0]->value == "992");

  const auto dangling = AtTlsFile::parse("TTLSRule one\n{\n  LocalPortRangeRef no\n}\n", "a");
  assert_true(dangling.has_value());
  const auto missing = dangling->parameters(dangling->statements()[0].body[0]);
  assert_false(missing.has_value());
  assert_true(has(missing.error().text(), "a:3: "));
  assert_false(AtTlsFile::parse("TTLSRule one\n{\n", "a").has_value());
}

void a_ttls_rule_becomes_a_rule(void**) {
  const auto made = convert_at_tls(
      "TTLSRule telnet\n{\n  LocalPortRange 992\n  Direction Inbound\n"
      "  TTLSGroupActionRef on\n  TTLSEnvironmentActionRef server\n}\n"
      "TTLSGroupAction on\n{\n  TTLSEnabled On\n}\n"
      "TTLSEnvironmentAction server\n{\n  HandshakeRole Server\n}\n",
      "a.policy");
  assert_true(made.has_value());
  const policy::Policy policy = read(*made);
  assert_int_equal(policy.rules().size(), 1);
  assert_true(policy.rules()[0].name == "telnet");
  assert_true(policy.rules()[0].direction == policy::Direction::inbound);
  assert_true(policy.rules()[0].local_ports == std::vector<policy::PortRange>({{992, 992}}));
  assert_true(policy.rules()[0].settings.tls == policy::Tls::required);
}

// ---- words, labels ----

void words_are_known_by_what_becomes_of_them(void**) {
  assert_true(stunnel_word("cert")->kind == ForeignWord::Kind::converted);
  assert_true(stunnel_word("pid")->kind == ForeignWord::Kind::not_needed);
  assert_true(stunnel_word("sessiond")->kind == ForeignWord::Kind::no_counterpart);
  assert_null(stunnel_word("crt"));
  assert_true(at_tls_word("gsk_session_ticket_server_timeout")->kind ==
              ForeignWord::Kind::no_counterpart);
  assert_null(at_tls_word("no such word"));
}

void labels_are_made_of_file_names(void**) {
  assert_true(stem("/etc/stunnel/redis.pem") == "redis");
  assert_true(label_from("redis") == "redis");
  assert_true(shell_word("plain") == "plain");
  assert_true(shell_word("two words") != "two words");
  Conversion conversion("s.conf");
  const std::string first = conversion.identity_label("/a/x.pem", "/a/x.key", "x");
  assert_true(first == conversion.identity_label("/a/x.pem", "/a/x.key", "x"));
  assert_true(first != conversion.identity_label("/b/x.pem", "/b/x.key", "x"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(services_and_their_options),
      cmocka_unit_test(a_service_becomes_a_rule),
      cmocka_unit_test(references_are_followed),
      cmocka_unit_test(a_ttls_rule_becomes_a_rule),
      cmocka_unit_test(words_are_known_by_what_becomes_of_them),
      cmocka_unit_test(labels_are_made_of_file_names),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
