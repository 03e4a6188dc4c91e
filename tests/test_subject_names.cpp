// The maker's rules are the verifier's: a name that may be put into a certificate is one that
// OpenSSL's matcher accepts it for.
#include "keyring/subject_names.h"

#include <openssl/x509v3.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <random>

#include "tests/tls_peer.h"

extern "C" {
#include <cmocka.h>
}

namespace gaiter::keyring {
namespace {

// As engine/peer_name.cpp asks.
bool accepts(X509* certificate, const std::string& name) {
  return X509_check_host(certificate, name.data(), name.size(),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                         nullptr) == 1;
}

void what_is_made_is_accepted(void**) {
  std::mt19937 random(6125);
  const std::string pieces[] = {"a", "b7", "-",  "_", ".", ".", "xn--bcher-kva",
                                "*", "*.", "10", "0"};
  const engine::Issued pattern = engine::issue({.common_name = "x", .names = ""});
  int made = 0;
  for (int round = 0; round != 20'000; ++round) {
    std::string name = random() % 3 == 0 ? "*." : "";
    for (size_t i = random() % 7 + 1; i != 0; --i) name += pieces[random() % std::size(pieces)];
    const auto names = general_names({.dns = {name}});
    assert_int_equal(names.has_value(), is_dns_name(name) && why_unacceptable(name) == nullptr);
    if (!names) continue;
    ++made;
    const CertificatePtr certificate(X509_dup(pattern.certificate.get()));
    assert_int_equal(X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, names->get(), 0, 0),
                     1);
    const std::string host = name.starts_with("*.") ? "web" + name.substr(1) : name;
    if (!accepts(certificate.get(), host)) print_error("%s\n", name.c_str());
    assert_true(accepts(certificate.get(), host));
  }
  assert_true(made > 1000);
}

void others_are_refused_with_the_reason(void**) {
  for (const char* name : {"*.internal", "a_b.internal", "10.0.0.1", "*.-a.internal"}) {
    assert_true(is_dns_name(name));
    assert_non_null(why_unacceptable(name));
  }
  for (const char* name : {"localhost", "a.internal", "*.apps.internal", "xn--bcher-kva.internal"})
    assert_null(why_unacceptable(name));
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_is_made_is_accepted),
      cmocka_unit_test(others_are_refused_with_the_reason),
  };
  return cmocka_run_group_tests_name("subject_names", tests, nullptr, nullptr);
}
