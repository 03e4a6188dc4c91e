// What the log advises can be pasted: each pattern that a certificate is called by is one that the
// policy reads, fits that certificate, and means no more than its names.
#include <random>

#include "engine/peer_matcher.h"
#include "engine/peer_name.h"
#include "policy/peer_pattern.h"
#include "tests/handshake_fixture.h"

namespace gaiter::engine {
namespace {

// As the policy reads a pattern, for the engine.
PeerPattern parsed(const std::string& text) {
  const auto pattern = policy::parse_peer(text);
  if (!pattern) print_error("%s: %s\n", text.c_str(), pattern.error().c_str());
  assert_true(pattern.has_value());
  PeerPattern result{static_cast<PeerPattern::Kind>(pattern->kind), pattern->text};
  assert_string_equal(
      to_string(result.kind),
      policy::to_string(*pattern).substr(0, policy::to_string(*pattern).find(':')).c_str());
  for (const policy::NameAttribute& attribute : pattern->name)
    result.attributes.push_back({attribute.type, attribute.value});
  return result;
}

void assert_good(X509* certificate) {
  const std::vector<std::string> patterns = names_as_patterns(certificate);
  assert_false(patterns.empty());
  for (const std::string& text : patterns) {
    const PeerPattern pattern = parsed(text);
    const auto matcher = PeerMatcher::compile(pattern);
    if (!matcher) print_error("%s: %s\n", text.c_str(), matcher.error().c_str());
    assert_true(matcher.has_value());
    if (!matcher->matches(PeerNames(certificate))) print_error("%s does not fit\n", text.c_str());
    assert_true(matcher->matches(PeerNames(certificate)));
    if (!text.starts_with("subject:")) assert_int_equal(text.find('*'), std::string::npos);
  }
  assert_int_equal(pattern_without_escapes(certificate).find('\\'), std::string::npos);
  parsed(pattern_without_escapes(certificate));
}

struct Attribute {
  int nid;
  std::string value;
  bool joins;  // of the same RDN as the one before
};

CertificatePtr named(const std::vector<Attribute>& attributes) {
  static const Issued pattern = issue({.common_name = "", .names = ""}, &world().ca);
  CertificatePtr certificate(X509_dup(pattern.certificate.get()));
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  for (const Attribute& one : attributes) {
    // One that cannot be (an empty one, a country of three letters) is left out.
    X509_NAME_add_entry_by_NID(name, one.nid, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(one.value.data()),
                               static_cast<int>(one.value.size()), -1, one.joins ? -1 : 0);
  }
  ERR_clear_error();
  return certificate;
}

void names_of_people_and_companies(void**) {
  const auto first = [](const std::vector<Attribute>& attributes) {
    const CertificatePtr certificate = named(attributes);
    assert_good(certificate.get());
    return names_as_patterns(certificate.get()).front();
  };
  assert_string_equal(
      first({{NID_organizationName, "Example, Inc.", false}, {NID_commonName, "batch", false}})
          .c_str(),
      "subject:CN=batch,O=Example\\, Inc.");
  assert_string_equal(first({{NID_commonName, "J\xc3\xbcrgen", false}}).c_str(),
                      "subject:CN=J\xc3\xbcrgen");
  assert_string_equal(first({{NID_commonName, "a", false}, {NID_userId, "7", true}}).c_str(),
                      "subject:UID=7,CN=a");
  assert_string_equal(first({{NID_surname, "x", false}}).c_str(), "subject:2.5.4.4=x");
  assert_string_equal(first({{NID_commonName, "*", false}}).c_str(), "subject:CN=\\2a");
  assert_string_equal(first({{NID_commonName, "a\xe2\x80\xae", false}}).c_str(),
                      "subject:CN=a\\e2\\80\\ae");
  // As it is in a map_file, where blanks part.
  assert_string_equal(first({{NID_commonName, "a dns:b", false}}).c_str(), "subject:CN=a\\20dns:b");
  assert_true(first({}).starts_with("fingerprint:"));
}

void strange_names(void**) {
  std::mt19937 random(4514);
  constexpr int nids[] = {NID_commonName,
                          NID_organizationName,
                          NID_organizationalUnitName,
                          NID_userId,
                          NID_surname,
                          NID_givenName,
                          NID_title,
                          NID_streetAddress,
                          NID_localityName,
                          NID_postalCode,
                          NID_description,
                          NID_businessCategory,
                          NID_serialNumber,
                          NID_stateOrProvinceName,
                          NID_countryName};
  const std::vector<std::string> pieces = {"a",
                                           "B",
                                           "7",
                                           " ",
                                           "  ",
                                           ",",
                                           "+",
                                           "=",
                                           "\"",
                                           "\\",
                                           "<",
                                           ">",
                                           ";",
                                           "#",
                                           "*",
                                           ":",
                                           "/",
                                           "\n",
                                           "\t",
                                           "\x01",
                                           "\x7f",
                                           "\xc3\xbc",
                                           "\xe2\x80\xae",
                                           "\xe2\x80\x8b",
                                           "\xf0\x9f\x94\x92",
                                           "\xe6\xb5\x8b",
                                           "CN=",
                                           "dns:",
                                           "\\2a",
                                           "subject:",
                                           ",O=evil"};
  for (int round = 0; round != 3000; ++round) {
    std::vector<Attribute> attributes(random() % 5 + 1);
    for (Attribute& one : attributes) {
      one.nid = nids[random() % std::size(nids)];
      one.joins = random() % 3 == 0;
      for (size_t i = random() % 8 + 1; i != 0; --i) one.value += pieces[random() % pieces.size()];
    }
    assert_good(named(attributes).get());
  }
}

void strange_alternative_names(void**) {
  for (const char* names :
       {"DNS:a.internal", "DNS:*.internal", "DNS:a_b.internal", "DNS:-a", "DNS:a..b",
        "URI:spiffe://prod/*", "URI:spiffe://prod/web?a=b", "URI:urn:x", "URI:nothing",
        "email:a@b.example", "email:*@b.example", "email:a@b@c", "email:a", "IP:10.0.0.1",
        "IP:fd00::1", "RID:1.2.3", "otherName:1.2.3;UTF8:x", "DNS:*,URI:a:*,email:*@*"}) {
    const Issued peer = issue({.common_name = "", .names = names}, &world().ca);
    assert_good(peer.certificate.get());
  }
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(names_of_people_and_companies),
      cmocka_unit_test(strange_names),
      cmocka_unit_test(strange_alternative_names),
  };
  return cmocka_run_group_tests_name("advice", tests, nullptr, nullptr);
}
