// Patterns over a certificate's names: what fits, and what must not.
#include "engine/peer_matcher.h"

#include "engine/peer_name.h"
#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

using Kind = PeerPattern::Kind;

Issued named(const std::string& names, const std::string& common_name = "batch") {
  return issue(
      {.common_name = common_name, .names = names, .organizations = {"Example, Inc", "Other"}},
      &world().ca);
}

bool fits(const PeerPattern& pattern, const Issued& peer) {
  const auto matcher = PeerMatcher::compile(pattern);
  if (!matcher) print_error("%s\n", matcher.error().c_str());
  assert_true(matcher.has_value());
  return matcher->matches(PeerNames(peer.certificate.get()));
}

struct Case {
  Kind kind;
  const char* pattern;
  const char* names;  // of the certificate
  bool fits;
};

constexpr Case cases[] = {
    {Kind::dns, "a.apps.internal", "DNS:a.apps.internal", true},
    {Kind::dns, "a.apps.internal", "DNS:A.Apps.Internal", true},
    {Kind::dns, "a.apps.internal", "DNS:x,DNS:a.apps.internal", true},
    {Kind::dns, "a.apps.internal", "DNS:a.apps.internal.evil", false},
    {Kind::dns, "a.apps.internal", "DNS:xa.apps.internal", false},
    {Kind::dns, "*.apps.internal", "DNS:a.apps.internal", true},
    {Kind::dns, "*.apps.internal", "DNS:a.b.apps.internal", false},
    {Kind::dns, "*.apps.internal", "DNS:apps.internal", false},
    {Kind::dns, "*.apps.internal", "DNS:evilapps.internal", false},
    {Kind::dns, "web-*.apps.*", "DNS:web-7.apps.internal", true},
    {Kind::dns, "web-*.apps.*", "DNS:web-7.x.apps.internal", false},
    {Kind::dns, "*a*b", "DNS:xaxxb", true},
    {Kind::dns, "*a*b", "DNS:xax.ab", false},
    {Kind::dns, "a.apps.internal", "URI:a.apps.internal", false},
    {Kind::dns, "10.0.0.1", "IP:10.0.0.1", false},
    // What a wildcard certificate is for is not what it is called.
    {Kind::dns, "a.apps.internal", "DNS:*.apps.internal", false},

    {Kind::uri, "spiffe://prod/web", "URI:spiffe://prod/web", true},
    {Kind::uri, "spiffe://prod/web", "URI:spiffe://prod/Web", false},
    {Kind::uri, "spiffe://prod/*", "URI:spiffe://prod/ns/a/sa/b", true},
    {Kind::uri, "spiffe://prod/*", "URI:spiffe://production/web", false},
    {Kind::uri, "spiffe://prod/*", "URI:spiffe://evil/spiffe://prod/web", false},
    {Kind::uri, "spiffe://prod/ns/*/sa/web", "URI:spiffe://prod/ns/a/sa/web", true},
    {Kind::uri, "spiffe://prod/ns/*/sa/web", "URI:spiffe://prod/ns/a/x/sa/web", false},
    {Kind::uri, "spiffe://prod/*", "DNS:spiffe", false},

    {Kind::email, "batch@example.com", "email:batch@Example.COM", true},
    {Kind::email, "batch@example.com", "email:Batch@example.com", false},
    {Kind::email, "*@example.com", "email:anybody@example.com", true},
    {Kind::email, "*@example.com", "email:anybody@example.com.evil", false},
    {Kind::email, "*@example.com", "email:anybody@sub.example.com", false},

    {Kind::ip, "10.1.2.3", "IP:10.1.2.3", true},
    {Kind::ip, "10.1.2.3", "IP:10.1.2.4", false},
    {Kind::ip, "10.0.0.0/8", "IP:10.200.2.4", true},
    {Kind::ip, "10.0.0.0/8", "IP:11.0.0.1", false},
    {Kind::ip, "10.1.2.128/25", "IP:10.1.2.200", true},
    {Kind::ip, "10.1.2.128/25", "IP:10.1.2.100", false},
    {Kind::ip, "0.0.0.0/0", "IP:10.1.2.3", true},
    {Kind::ip, "0.0.0.0/0", "IP:::1", false},
    {Kind::ip, "2001:db8::/32", "IP:2001:db8::5", true},
    {Kind::ip, "2001:db8::/32", "IP:2001:db9::5", false},
    {Kind::ip, "10.1.2.3", "DNS:10.1.2.3", false},
};

void names_fit_or_not(void**) {
  for (const Case& one : cases) {
    const bool actual = fits({one.kind, one.pattern}, named(one.names));
    if (actual != one.fits)
      print_error("%s:%s with %s\n", to_string(one.kind), one.pattern, one.names);
    assert_int_equal(actual, one.fits);
  }
}

void subject_and_issuer_have_all_pieces(void**) {
  const Issued peer = named("DNS:x");
  const auto subject = [&peer](std::vector<PeerPattern::Attribute> pieces) {
    return fits({Kind::subject, "pieces", std::move(pieces)}, peer);
  };
  assert_true(subject({{"CN", "batch"}}));
  assert_true(subject({{"CN", "batch"}, {"O", "Example, Inc"}}));
  assert_true(subject({{"O", "Other"}, {"2.5.4.3", "batch"}}));
  assert_false(subject({{"CN", "batc"}}));
  assert_false(subject({{"CN", "Batch"}}));
  assert_false(subject({{"CN", "*"}}));
  assert_false(subject({{"O", "batch"}}));
  assert_false(subject({{"CN", "batch"}, {"OU", "x"}}));
  assert_true(fits({Kind::issuer, "pieces", {{"CN", "Test CA"}}}, peer));
  assert_false(fits({Kind::issuer, "pieces", {{"CN", "batch"}}}, peer));
}

void a_fingerprint_is_one_certificate(void**) {
  const Issued peer = named("DNS:x");
  uint8_t hash[32];
  X509_digest(peer.certificate.get(), EVP_sha256(), hash, nullptr);
  assert_true(fits({Kind::fingerprint, hex(hash)}, peer));
  assert_false(fits({Kind::fingerprint, hex(hash)}, named("DNS:x")));
}

void nonsense_is_refused(void**) {
  const PeerPattern wrong[] = {
      {Kind::dns, ""},
      {Kind::ip, "10.0.0"},
      {Kind::ip, "10.0.0.0/33"},
      {Kind::ip, "::/129"},
      {Kind::ip, "10.0.0.0/"},
      {Kind::email, "example.com"},
      {Kind::email, "a@*.com"},
      {Kind::subject, "batch"},
      {Kind::subject, "x", {{"XYZ", "a"}}},
      {Kind::fingerprint, "0"},
      {Kind::fingerprint, std::string(64, 'g')},
  };
  for (const PeerPattern& one : wrong) assert_false(PeerMatcher::compile(one).has_value());
}

// A SAN extension made by hand, as a dishonest CA's customer might get it.
void a_name_with_a_nul_is_unsound(void**) {
  const Issued peer = named("DNS:x");
  GENERAL_NAMES* const names = sk_GENERAL_NAME_new_null();
  GENERAL_NAME* const name = GENERAL_NAME_new();
  ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
  ASN1_STRING_set(text, "good.example\0.evil.example", 26);
  GENERAL_NAME_set0_value(name, GEN_DNS, text);
  sk_GENERAL_NAME_push(names, name);
  const CertificatePtr forged(X509_dup(peer.certificate.get()));
  X509_add1_ext_i2d(forged.get(), NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE);
  sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
  assert_false(PeerNames(forged.get()).are_sound());
  assert_true(PeerNames(peer.certificate.get()).are_sound());
  assert_true(PeerNames(world().client.certificate.get()).are_sound());
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(names_fit_or_not),
      cmocka_unit_test(subject_and_issuer_have_all_pieces),
      cmocka_unit_test(a_fingerprint_is_one_certificate),
      cmocka_unit_test(nonsense_is_refused),
      cmocka_unit_test(a_name_with_a_nul_is_unsound),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
