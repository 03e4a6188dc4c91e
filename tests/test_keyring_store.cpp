// Writing a keyring: what is issued, imported and refused.
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

void a_keyring_is_made_with_its_parents_and_once(void**) {
  const Scratch scratch;
  const std::string path = scratch / "a/b/keyring";
  const Keyring keyring = take(create_keyring(path));
  assert_int_equal(take(keyring.entries()).size(), 0);
  assert_string_equal(take(keyring.default_label()).c_str(), "");
  take(create_entry(keyring, request_for("a")));
  assert_int_equal(take(take(create_keyring(path)).entries()).size(), 1);
}

void a_directory_with_something_else_is_left_alone(void**) {
  const Scratch scratch;
  put_file(scratch / "letter.txt", "dear sir");
  assert_refused(create_keyring(scratch / "."), Kind::invalid, "is not empty");
  assert_refused(open_or_create(scratch / "."), Kind::invalid, "is not empty");
  assert_false(is_there(scratch / "keyring.conf"));
  assert_refused(create_keyring(scratch / "letter.txt"), Kind::not_found, "letter.txt");
}

void modes_do_not_depend_on_the_umask(void**) {
  for (const mode_t mask : {0077, 0000, 0027}) {
    const Fresh fresh;
    const mode_t before = umask(mask);
    take(create_entry(fresh.keyring, request_for("a")));
    take(set_default(fresh.keyring, "a"));
    umask(before);
    assert_int_equal(mode_of(fresh.path + "/a"), 0755);
    assert_int_equal(mode_of(fresh.path + "/a/key.pem"), 0600);
    assert_int_equal(mode_of(fresh.path + "/a/certificate.pem"), 0644);
    assert_int_equal(mode_of(fresh.path + "/a/entry.conf"), 0644);
    assert_int_equal(mode_of(fresh.path + "/keyring.conf"), 0644);
  }
}

void a_leaf_has_what_a_peer_looks_for(void**) {
  const Fresh fresh;
  take(create_entry(fresh.keyring, request_for("ca", true)));
  NewCertificate request = request_for("redis");
  request.dns_names = {"redis.internal", "*.apps.internal"};
  request.ip_addresses = {"10.0.0.5", "2001:db8::5"};
  request.signer = "ca";
  const Entry entry = take(create_entry(fresh.keyring, request));
  assert_true(entry.usage == Usage::personal && entry.trusted && entry.has_key);
  assert_string_equal(entry.origin.c_str(), "signed by ca");
  assert_int_equal(entry.chain.size(), 0);  // a root need not be sent

  X509* const leaf = entry.leaf.get();
  assert_int_equal(X509_get_version(leaf), X509_VERSION_3);
  assert_int_equal(X509_check_host(leaf, "redis.internal", 0, 0, nullptr), 1);
  assert_int_equal(X509_check_host(leaf, "x.apps.internal", 0, 0, nullptr), 1);
  assert_int_equal(X509_check_host(leaf, "other.internal", 0, 0, nullptr), 0);
  assert_int_equal(X509_check_ip_asc(leaf, "10.0.0.5", 0), 1);
  assert_int_equal(X509_check_ip_asc(leaf, "2001:db8::5", 0), 1);
  assert_int_equal(X509_check_ip_asc(leaf, "10.0.0.6", 0), 0);
  assert_int_equal(X509_check_ca(leaf), 0);
  assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
  assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER | XKU_SSL_CLIENT);
  const BIGNUM* serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), nullptr);
  assert_int_equal(BN_num_bits(serial), 159);
  BN_free(const_cast<BIGNUM*>(serial));
  assert_int_equal(X509_get_signature_nid(leaf), NID_ecdsa_with_SHA256);

  time_t five_minutes_ago = time(nullptr) - 300;
  assert_true(X509_cmp_time(X509_get0_notBefore(leaf), &five_minutes_ago) < 0);
  five_minutes_ago -= 60;
  assert_true(X509_cmp_time(X509_get0_notBefore(leaf), &five_minutes_ago) > 0);

  const Entry ca = take(fresh.keyring.entry("ca"));
  assert_true(ca.usage == Usage::ca && ca.trusted && ca.has_key);
  assert_int_equal(X509_check_ca(ca.leaf.get()), 1);
  assert_int_equal(X509_get_pathlen(ca.leaf.get()), 0);
  assert_int_equal(X509_get_key_usage(ca.leaf.get()),
                   KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN);
  assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf),
                                         X509_get0_subject_key_id(ca.leaf.get())),
                   0);
  assert_int_equal(verify(take(fresh.keyring.trust()), leaf), X509_V_OK);
}

void a_leaf_does_not_outlive_its_signer(void**) {
  const Fresh fresh;
  take(create_entry(fresh.keyring, request_for("ca", true)));
  NewCertificate request = request_for("long");
  request.signer = "ca";
  request.lifetime = std::chrono::days{5000};
  const Entry entry = take(create_entry(fresh.keyring, request));
  const Entry ca = take(fresh.keyring.entry("ca"));
  assert_int_equal(
      ASN1_TIME_compare(X509_get0_notAfter(entry.leaf.get()), X509_get0_notAfter(ca.leaf.get())),
      0);
}

void a_leaf_below_an_intermediate_carries_it(void**) {
  const Fresh fresh;
  const Made root = make_root();
  const Made middle = make(request_for("middle", true), &root);
  const Made other = make(request_for("other", true));
  take(import_entry(
      fresh.keyring, "middle", Usage::ca,
      other.certificate_pem + root.certificate_pem + middle.certificate_pem + middle.key_pem,
      false));
  NewCertificate request = request_for("leaf");
  request.signer = "middle";
  const Entry entry = take(create_entry(fresh.keyring, request));
  assert_int_equal(entry.chain.size(), 1);
  assert_string_equal(common_name(entry.chain[0].get()).c_str(), "middle");
}

void wrong_requests_are_refused_with_the_word(void**) {
  const Fresh fresh;
  const auto refused = [&](auto change, Kind kind, auto... words) {
    NewCertificate request = request_for("a");
    change(request);
    assert_refused(create_entry(fresh.keyring, request), kind, words...);
  };
  using Request = NewCertificate;
  refused([](Request& r) { r.label = "../a"; }, Kind::invalid, "../a");
  refused([](Request& r) { r.common_name = ""; }, Kind::invalid, "common name");
  refused([](Request& r) { r.common_name = std::string(65, 'x'); }, Kind::invalid, "64");
  refused([](Request& r) { r.common_name = "a\nb"; }, Kind::invalid, "control");
  refused([](Request& r) { r.dns_names = {"a,DNS:evil"}; }, Kind::invalid, "a,DNS:evil");
  refused([](Request& r) { r.dns_names = {"x", ""}; }, Kind::invalid, "DNS name");
  refused([](Request& r) { r.dns_names = {"a..b"}; }, Kind::invalid, "a..b");
  refused([](Request& r) { r.dns_names = {"a.*.b"}; }, Kind::invalid, "a.*.b");
  refused([](Request& r) { r.dns_names = {std::string(64, 'x')}; }, Kind::invalid);
  refused([](Request& r) { r.ip_addresses = {"10.0.0.256"}; }, Kind::invalid, "10.0.0.256");
  refused([](Request& r) { r.lifetime = std::chrono::days{0}; }, Kind::invalid, "days");
  refused([](Request& r) { r.lifetime = std::chrono::days{1 << 20}; }, Kind::invalid, "36500");
  refused([](Request& r) { r.signer = "nobody"; }, Kind::not_found, "nobody");
  assert_int_equal(take(fresh.keyring.entries()).size(), 0);

  take(create_entry(fresh.keyring, request_for("a")));
  refused([](Request&) {}, Kind::exists, "\"a\"");
  refused([](Request& r) { r.label = "b", r.signer = "a"; }, Kind::invalid, "not a CA");
  take(create_entry(fresh.keyring, request_for("ca", true)));
  refused([](Request& r) { r.label = "b", r.signer = "ca", r.is_ca = true; }, Kind::invalid,
          "path length is 0");
}

void import_takes_a_bundle_in_any_order(void**) {
  const Fresh fresh;
  const Made ca = make(request_for("ca", true));
  const Made leaf = make(request_for("leaf"), &ca);
  const Entry entry =
      take(import_entry(fresh.keyring, "mine", Usage::personal,
                        ca.certificate_pem + leaf.key_pem + leaf.certificate_pem, false));
  assert_string_equal(entry.origin.c_str(), "imported");
  assert_string_equal(common_name(entry.leaf.get()).c_str(), "leaf");
  assert_int_equal(entry.chain.size(), 1);
  assert_int_equal(mode_of(fresh.path + "/mine/key.pem"), 0600);
  assert_false(get_file(fresh.path + "/mine/certificate.pem").contains("PRIVATE"));
  take(fresh.keyring.identity("mine"));
}

void import_refuses_what_does_not_fit_the_usage(void**) {
  const Fresh fresh;
  const Made ca = make(request_for("ca", true));
  const Made leaf = make(request_for("leaf"), &ca);
  const auto refused = [&](Usage usage, const std::string& pem, const char* why) {
    assert_refused(import_entry(fresh.keyring, "x", usage, pem, false), Kind::invalid, why);
  };
  refused(Usage::personal, leaf.certificate_pem, "no private key");
  refused(Usage::personal, leaf.key_pem, "no certificate");
  refused(Usage::personal, leaf.certificate_pem + ca.key_pem, "fits none");
  refused(Usage::site, leaf.certificate_pem + leaf.key_pem, "a site is somebody else");
  refused(Usage::ca, ca.certificate_pem + leaf.certificate_pem, "CN=leaf");
  refused(Usage::ca, "", "is empty");
  refused(Usage::ca, std::string(2 << 20, 'x'), "longer than 1 MiB");
  assert_refused(import_entry(fresh.keyring, "keyring.conf", Usage::ca, ca.certificate_pem, false),
                 Kind::invalid, "is no label");
  assert_int_equal(take(fresh.keyring.entries()).size(), 0);
  take(import_entry(fresh.keyring, "ca", Usage::ca, ca.certificate_pem, false));
  take(import_entry(fresh.keyring, "ca-with-key", Usage::ca, ca.certificate_pem + ca.key_pem,
                    false));
  take(import_entry(fresh.keyring, "site", Usage::site, leaf.certificate_pem, false));
  assert_int_equal(verify(take(fresh.keyring.trust()), leaf.identity.leaf.get()), X509_V_OK);
}

void a_ca_of_version_1_is_still_a_ca(void**) {
  const Fresh fresh;
  const KeyPtr key = take(make_key());
  const CertificatePtr old(X509_new_ex(library_context(), nullptr));
  ASN1_INTEGER_set(X509_get_serialNumber(old.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(old.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(old.get()), 3600);
  X509_set_pubkey(old.get(), key.get());
  X509_sign(old.get(), key.get(), EVP_sha256());
  take(import_entry(fresh.keyring, "old", Usage::ca, to_pem(old.get()), false));
}

void a_label_is_replaced_only_when_told(void**) {
  const Fresh fresh;
  const Made a = make(request_for("one", true));
  const Made b = make(request_for("two", true));
  take(import_entry(fresh.keyring, "x", Usage::ca, a.certificate_pem + a.key_pem, false));
  assert_refused(import_entry(fresh.keyring, "x", Usage::ca, b.certificate_pem, false),
                 Kind::exists, "\"x\"");
  assert_string_equal(common_name(take(fresh.keyring.entry("x")).leaf.get()).c_str(), "one");
  const Entry replaced = take(import_entry(fresh.keyring, "x", Usage::ca, b.certificate_pem, true));
  assert_string_equal(common_name(replaced.leaf.get()).c_str(), "two");
  assert_false(replaced.has_key);  // nothing of the old entry stays
  assert_false(has_leftovers(fresh.path));
}

void the_default_must_be_usable(void**) {
  const Fresh fresh;
  assert_refused(set_default(fresh.keyring, "a"), Kind::not_found);
  take(create_entry(fresh.keyring, request_for("ca", true)));
  assert_refused(set_default(fresh.keyring, "ca"), Kind::invalid, "not a personal entry");
  take(create_entry(fresh.keyring, request_for("a")));
  take(set_default(fresh.keyring, "a"));
  assert_string_equal(take(fresh.keyring.default_label()).c_str(), "a");
  assert_true(take(fresh.keyring.entry("a")).is_default);
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_keyring_is_made_with_its_parents_and_once),
      cmocka_unit_test(a_directory_with_something_else_is_left_alone),
      cmocka_unit_test(modes_do_not_depend_on_the_umask),
      cmocka_unit_test(a_leaf_has_what_a_peer_looks_for),
      cmocka_unit_test(a_leaf_does_not_outlive_its_signer),
      cmocka_unit_test(a_leaf_below_an_intermediate_carries_it),
      cmocka_unit_test(wrong_requests_are_refused_with_the_word),
      cmocka_unit_test(import_takes_a_bundle_in_any_order),
      cmocka_unit_test(import_refuses_what_does_not_fit_the_usage),
      cmocka_unit_test(a_ca_of_version_1_is_still_a_ca),
      cmocka_unit_test(a_label_is_replaced_only_when_told),
      cmocka_unit_test(the_default_must_be_usable),
  };
  return cmocka_run_group_tests_name("keyring_store", tests, nullptr, nullptr);
}
