// Peers, suites, conditions, and what settings mean together: values and mistakes.
#include <string>
#include <vector>

#include "policy/address.h"
#include "policy/peer_pattern.h"
#include "tests/policy_text.h"

using namespace gaiter::policy;

namespace {

// The first error of a section in 6379.conf, without file and line; "" if it is good.
std::string error_of(const std::string& section, const std::string& settings) {
  const Folder folder;
  const auto errors =
      Policy::check({folder.write("6379.conf", section + " = { " + settings + " };"), ""});
  return errors.empty() ? "" : errors.front().message;
}

void expect_good(const char* section, std::initializer_list<const char*> list) {
  for (const char* settings : list) assert_string_equal(error_of(section, settings).c_str(), "");
}

// Each pair: settings, and a part of what they are told.
void expect_wrong(const char* section,
                  std::initializer_list<std::pair<const char*, const char*>> list) {
  for (const auto& [settings, part] : list) {
    const std::string error = error_of(section, settings);
    if (error.find(part) == std::string::npos)
      fail_msg("for: %s\ngot: %s\nwanted: %s", settings, error.c_str(), part);
  }
}

void peers(void**) {
  const std::pair<const char*, const char*> good[] = {
      {"dns:*.Apps.Internal", "dns:*.apps.internal"},
      {"dns:web-*.internal", "dns:web-*.internal"},
      {"spiffe://prod/*", "uri:spiffe://prod/*"},
      {"uri:urn:x:*", "uri:urn:x:*"},
      {"email:*@Example.Com", "email:*@example.com"},
      {"ip:::ffff:10.0.0.1", "ip:10.0.0.1"},
      {"ip:10.0.0.0/8", "ip:10.0.0.0/8"},
      {"fingerprint:sha256:AB:ababababababababababababababababababababababababababababababab",
       "fingerprint:abababababababababababababababababababababababababababababababab"},
  };
  for (const auto& [text, wanted] : good) {
    const auto peer = parse_peer(text);
    if (!peer) fail_msg("%s: %s", text, peer.error().c_str());
    assert_string_equal(to_string(*peer).c_str(), wanted);
  }
  for (const char* text : {"",
                           "x",
                           "dns:",
                           "dns:*",
                           "dns:a.*",
                           "dns:a b",
                           "*.internal",
                           "uri:spiffe://*/x",
                           "uri:spiffe://p*/x",
                           "uri:nothing",
                           "uri:://",
                           "email:a",
                           "email:a@*.b",
                           "email:@b",
                           "ip:10.0.0.1/8",
                           "ip:any",
                           "ip:10.0.0.1-10.0.0.2",
                           "subject:",
                           "subject:batch",
                           "subject:CN=",
                           "subject:CN=*",
                           "subject:CN=a;O=b",
                           "subject:XY=a",
                           "subject:CN=a\\",
                           "fingerprint:abc",
                           "dsn:a.b"})
    assert_false(parse_peer(text).has_value());
  const auto name = parse_name(" cn=a\\, b\\2a , O=x  +1.2.3=\\ y ");
  assert_true(name.has_value());
  assert_int_equal(name->size(), 3);
  assert_string_equal((*name)[0].type.c_str(), "CN");
  assert_string_equal((*name)[0].value.c_str(), "a, b*");
  assert_string_equal((*name)[1].value.c_str(), "x");
  assert_string_equal((*name)[2].value.c_str(), " y");
  Sha256 hexed, based;
  assert_true(parse_pin("sha256:" + std::string(64, '0'), hexed));
  assert_true(parse_pin("sha256//" + std::string(43, 'A') + "=", based));
  assert_true(hexed == based);
  assert_false(parse_pin("sha256//" + std::string(42, 'A') + "B=", based));
}

void who_may_connect(void**) {
  expect_good("outbound", {"trust = \"a\";", "trust = [ \"a\", \"b\" ];", "trust = \"\";"});
  expect_good("inbound", {"client_auth = \"required\"; allow = \"any-trusted\"; trust = \"a\";",
                          "client_auth = \"required\"; allow = \"any-trusted\";",
                          "client_auth = \"optional\"; allow = [ \"dns:a.b\" ];",
                          "client_auth = \"required\"; tls = \"off\";",
                          "client_auth = \"required\"; allow = \"dns:a.b\"; map_user = true;"});
  expect_wrong("inbound",
               {{"client_auth = \"required\";", "allow = \"any-trusted\""},
                {"allow = \"any-trusted\";", "no certificate is asked for"},
                {"deny = \"dns:a.b\";", "no certificate is asked for"},
                {"trust = \"a\";", "no certificate is asked for"},
                {"client_auth = \"optional\"; trust = [ ];", "trusts nobody"},
                {"client_auth = \"optional\"; trust = [ \"a\", \"a\" ];", "in the list already"},
                {"client_auth = \"optional\"; trust = \"/etc/ca.pem\";", "not a label"},
                {"map_user = true;", "client_auth = \"required\""},
                {"client_auth = \"optional\"; allow = [ \"any-trusted\" ];", "one of a list"},
                {"certificate = \"none\";", "needs a certificate"},
                {"sni_unmatched = \"refuse\";", "no sni"},
                {"sni = { \"a b\" = \"x\"; };", "not a host name"},
                {"sni = { \"a\" = \"x\"; A = \"y\"; };", "set twice"}});
  expect_wrong("outbound",
               {{"verify = \"pinned\";", "no pins"},
                {"verify = \"none\"; allow = \"dns:a.b\";", "nothing is verified"},
                {"verify = \"none\"; must_staple = true;", "OCSP"},
                {"server_name = \"%u.x\";", "only %h"},
                {"interchangeable = [ \"*\" ];", "not a host name"},
                {"interchangeable = [ ];", "no name is in it"},
                {"interchangeable = \"a.b\"; verify = \"chain\";", "no name is verified"},
                {"interchangeable = \"a.b\"; server_name = \"c.d\";", "the only name"},
                {"verify = \"none\"; trust = \"a\";", "no chain is verified"},
                {"tls = \"optional\";", "downgraded"},
                {"role = \"server\"; verify = \"full\";", "belongs to a TLS client"}});
}

void versions_and_suites(void**) {
  expect_good("inbound", {"profile = \"modern\";", "profile = \"fips\";",
                          "suites = \"TLS_AES_128_GCM_SHA256\"; min_version = \"TLSv1.3\";",
                          "groups = [ \"X25519MLKEM768!\", \"secp256r1\" ];"});
  expect_wrong(
      "inbound",
      {{"suites = \"TLS_AES_128_GCM_SHA256\";", "none of them is of TLS 1.2"},
       {"suites = \"TLS_RSA_WITH_AES_128_CBC_SHA\";", "not an AEAD suite"},
       {"suites = \"TLS_RSA_WITH_AES_128_GCM_SHA256\";", "forward secrecy"},
       {"suites = \"ECDHE-RSA-AES128-GCM-SHA256\";", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
       {"suites = \"TLS_AES_128_CCM_SHA256\";", "AES-CCM"},
       {"groups = \"ffdhe2048\";", "finite-field"},
       {"groups = [ \"P-256\", \"prime256v1\" ];", "in the list already"},
       {"signatures = \"rsa_pkcs1_sha1\";", "RFC 9155"},
       {"max_version = \"TLSv1.2\"; min_version = \"TLSv1.3\";", "no version is left"},
       {"max_version = \"TLSv1.1\";", "RFC 8996"},
       {"profile = \"modern\"; min_version = \"TLSv1.2\";", "TLS 1.3 only"},
       {"profile = \"fips\"; groups = \"X25519\";", "does not approve"},
       {"rekey = { bytes = 1; };", "out of range"},
       {"session = { lifetimes = 5; };", "did you mean lifetime?"}});
  const Policy policy = load_port("inbound = { profile = \"modern\"; };");
  assert_true(policy.rules()[0].settings.min_version == Version::tls13);
}

void exceptions_end(void**) {
  expect_good("inbound", {"tls = \"off\"; until = \"2027-01-31\";",
                          "mode = \"monitor\"; until = \"2028-02-29\";"});
  expect_wrong("inbound", {{"until = \"2027-01-31\";", "nothing ends"},
                           {"tls = \"off\"; until = \"2027-02-29\";", "a day of the calendar"},
                           {"tls = \"off\"; until = \"2027-1-1\";", "a day of the calendar"}});
  using namespace std::chrono;
  const Policy policy = load_port("inbound = { tls = \"off\"; until = \"2027-01-31\"; };");
  const Settings& settings = policy.rules()[0].settings;
  const sys_days day = 2027y / January / 31;
  assert_true(tls_at(settings, day - 1s) == Tls::off);
  assert_true(tls_at(settings, day) == Tls::required);
  const Policy blocked =
      load_port("inbound = { tls = \"block\"; mode = \"monitor\"; until = \"2027-01-31\"; };");
  assert_true(tls_at(blocked.rules()[0].settings, day) == Tls::block);
  assert_true(mode_at(blocked.rules()[0].settings, day - 1s) == Mode::monitor);
  assert_true(mode_at(blocked.rules()[0].settings, day) == Mode::enforce);
}

void conditions(void**) {
  const auto rule = [](const std::string& text) {
    return "rules = ( { direction = \"both\"; " + text + " } );";
  };
  const Policy policy =
      load_text(rule("remote = [ \"10.0.0.0/8\", \"loopback\" ]; user = \"root\"; "
                     "name = \"x\"; certificate = \"a\"; verify = \"chain\";"));
  assert_int_equal(policy.rules().size(), 2);
  assert_string_equal(to_string(policy.rules()[0].remote).c_str(), "10.0.0.0/8, 127.0.0.0/8, ::1");
  assert_string_equal(policy.rules()[1].name.c_str(), "x");
  assert_true(policy.rules()[1].settings.verify == Verify::chain);
  const std::pair<const char*, const char*> mistakes[] = {
      {"remote = \"10.0.0.1/8\";", "did you mean \"10.0.0.0/8\" or \"10.0.0.1\"?"},
      {"remote = \"10.0.0.0/33\";", "0 to 32 bits"},
      {"remote = \"10.0.0.9-10.0.0.1\";", "ends before it begins"},
      {"remote = \"10.0.0.9-::1\";", "all IPv4 or all IPv6"},
      {"remote = \"lopback\";", "did you mean \"loopback\"?"},
      {"remote = \"fe80::1%eth0\";", "no zone"},
      {"program = \"bin/x\";", "absolute path"},
      {"program = \"[ab]\";", "only *, ** and ?"},
      {"unit = \"redis\";", "with its suffix"},
      {"user = \"no-such-user\";", "no such user in /etc/passwd"},
      {"group = -1;", "0 or more"},
      {"priority = 1.5;", "expected a priority"},
  };
  for (const auto& [text, part] : mistakes) {
    const std::string errors = check({"", rule(text)});
    if (errors.find(part) == std::string::npos) fail_msg("%s: %s", text, errors.c_str());
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(peers),
      cmocka_unit_test(who_may_connect),
      cmocka_unit_test(versions_and_suites),
      cmocka_unit_test(exceptions_end),
      cmocka_unit_test(conditions),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
