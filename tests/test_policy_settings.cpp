// The settings of a rule: every key and value, and what each mistake is told.
#include <chrono>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/vocabulary.h"
#include "tests/policy_text.h"

using namespace gaiter::policy;
using namespace std::chrono_literals;

namespace {

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
  const std::string any = "allow = \"any-trusted\"; ";
  const std::string pin = "pins = [ \"sha256:" + std::string(64, 'a') + "\" ]; ";
  const auto inbound = [](const std::string& text) {
    return load_port("inbound = { " + text + " };").rules()[0].settings;
  };
  const auto outbound = [](const std::string& text) {
    return load_port("outbound = { " + text + " };").rules()[0].settings;
  };
  for (const auto& word : tls_words)
    assert_true(inbound("tls = " + quote(word.text)).tls == word.value);
  for (const auto& word : client_auth_words)
    assert_true(
        inbound((word.value == ClientAuth::none ? "" : any) + "client_auth = " + quote(word.text))
            .client_auth == word.value);
  for (const auto& word : verify_words)
    assert_true(
        outbound((word.value == Verify::none ? "" : pin) + "verify = " + quote(word.text)).verify ==
        word.value);
  for (const auto& word : version_words)
    assert_true(inbound("min_version = " + quote(word.text)).min_version == word.value);
  for (const auto& word : truncation_words)
    assert_true(outbound("truncation = " + quote(word.text)).truncation == word.value);
  for (const auto& word : unmatched_words)
    assert_true(load_text("unmatched = " + quote(word.text)).unmatched() == word.value);
  for (const auto& word : children_words)
    assert_true(load_text("children = " + quote(word.text)).children() == word.value);
  const Policy trusting = load_text("trusted_children = [ \"/usr/*bin/sudo\", \"sendmail\" ];");
  assert_true(trusting.trusts_child("/usr/bin/sudo") &&
              trusting.trusts_child("/usr/sbin/sendmail"));
  assert_false(trusting.trusts_child("/usr/local/bin/sudo") || trusting.trusts_child("/sbin/mail"));
  for (const char* name : {"a", "db_1.example", "10.0.0.1", "::1", "xn--bcher-kva.example"})
    assert_string_equal(outbound("server_name = " + quote(name)).server_name.c_str(), name);
  assert_true(
      (outbound("interchangeable = [ \"*.Apps.internal\", \"cdn.example\" ];").interchangeable ==
       std::vector<std::string>{"*.apps.internal", "cdn.example"}));
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
  assert_true(empty.unmatched() == Unmatched::pass && !empty.unmatched_is_said());
  assert_true(empty.children() == Children::no_tcp && empty.trusted_children().empty());
  assert_string_equal(empty.keyring().c_str(), "");
}

// Text over gaiter.conf over the built-in; a rule's own word over all of them.
void defaults_and_origins(void**) {
  Folder folder;
  const std::string conf =
      folder.write("gaiter.conf",
                   "keyring = \"/a\"; unmatched = \"pass\";\n"
                   "defaults = {\n"
                   "  inbound = { client_auth = \"required\"; allow = \"any-trusted\";\n"
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
      "role = \"auto\" (default)\n"
      "mode = \"enforce\" (default)\n"
      "until = \"\" (default)\n"
      "certificate = \"default\" (default)\n"
      "sni = { } (default)\n"
      "sni_unmatched = \"default\" (default)\n"
      "trust = \"\" (default)\n"
      "client_auth = \"required\" (" +
      conf +
      ":3)\n"
      "allow = \"any-trusted\" (" +
      conf +
      ":3)\n"
      "deny = [ ] (default)\n"
      "map_user = false (default)\n"
      "map_file = \"\" (default)\n"
      "profile = \"intermediate\" (default)\n"
      "min_version = \"TLSv1.2\" (default)\n"
      "max_version = \"TLSv1.3\" (default)\n"
      "suites = [ ] (default)\n"
      "groups = [ ] (default)\n"
      "signatures = [ ] (default)\n"
      "alpn = [ ] (default)\n"
      "session = { cache = 256; lifetime = 7200; tickets = 1; ticket_keys = \"\"; } (default)\n"
      "rekey = { } (default)\n"
      "handshake_timeout = 4 (GAITER_POLICY_TEXT:2)\n"
      "close_timeout = 1 (default)\n"
      "truncation = \"eof\" (" +
      port +
      ":2)\n"
      "ocsp = \"auto\" (default)\n"
      "revocation = \"soft\" (default)\n"
      "on_change = \"keep\" (default)\n"
      "engine = \"auto\" (default)\n"
      "accelerator = \"auto\" (default)\n";
  assert_string_equal(shown.c_str(), wanted.c_str());
  assert_int_equal(policy.effective(policy.rules()[0]).size(), 29);
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
       "2: colour: unknown key; valid here: tls, role, mode, until, certificate, sni, "
       "sni_unmatched, trust, client_auth, allow, deny, map_user, map_file, profile, min_version, "
       "max_version, suites, groups, signatures, alpn, session, rekey, handshake_timeout, "
       "close_timeout, truncation, ocsp, revocation, on_change, engine, accelerator"},
      {"verify = \"full\"", "2: verify: belongs to outbound, not to inbound"},
      {"server_name = \"a\"", "2: server_name: belongs to outbound, not to inbound"},
      {"local_ports = 1", "2: local_ports: belongs to a rule in gaiter.conf"},
      {"client_auth = \"require\"",
       "2: client_auth = \"require\": unknown value; did you mean \"required\"?"},
      {"certificate = 5", "2: certificate: expected text in quotes, not an integer"},
      {"certificate = [ ]",
       "2: certificate: names no certificate; leave it out for the keyring's default"},
      {"certificate = \"none\"", "2: certificate = \"none\": a TLS server needs a certificate"},
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

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_key_and_value),      cmocka_unit_test(every_word),
      cmocka_unit_test(built_in_defaults),        cmocka_unit_test(defaults_and_origins),
      cmocka_unit_test(wrong_words_in_a_section),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
