// Writing a keyring: what is issued and imported, and that no crash, no rival and
// no umask can spoil it.
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>

#include "keyring/host_names.h"
#include "keyring/label.h"
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

using Kind = Error::Kind;

struct Fresh {
  Scratch scratch;
  std::string path = scratch / "keyring";
  Keyring keyring = take(create_keyring(path));
};

bool has_leftovers(const std::string& path) {
  return std::ranges::any_of(std::filesystem::directory_iterator(path), [](const auto& item) {
    return item.path().filename().string().starts_with(".tmp-");
  });
}

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
  assert_int_equal(X509_get_key_usage(ca.leaf.get()), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
  assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf),
                                         X509_get0_subject_key_id(ca.leaf.get())),
                   0);
  assert_int_equal(verify(take(fresh.keyring.trust()).get(), leaf), X509_V_OK);
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
  refused(Usage::ca, ca.certificate_pem + leaf.certificate_pem, "/CN=leaf");
  refused(Usage::ca, "", "no PEM block");
  refused(Usage::ca, std::string(2 << 20, 'x'), "longer than 1 MiB");
  assert_refused(import_entry(fresh.keyring, "keyring.conf", Usage::ca, ca.certificate_pem, false),
                 Kind::invalid, "is no label");
  assert_int_equal(take(fresh.keyring.entries()).size(), 0);
  take(import_entry(fresh.keyring, "ca", Usage::ca, ca.certificate_pem, false));
  take(import_entry(fresh.keyring, "ca-with-key", Usage::ca, ca.certificate_pem + ca.key_pem,
                    false));
  take(import_entry(fresh.keyring, "site", Usage::site, leaf.certificate_pem, false));
  assert_int_equal(verify(take(fresh.keyring.trust()).get(), leaf.identity.leaf.get()), X509_V_OK);
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

void the_next_writer_sweeps_what_a_dead_one_left(void**) {
  const Fresh fresh;
  std::filesystem::create_directory(fresh.path + "/.tmp-entry");
  put_file(fresh.path + "/.tmp-entry/key.pem", "half a k", 0600);
  put_file(fresh.path + "/.tmp-conf", "form");
  assert_int_equal(take(fresh.keyring.entries()).size(), 0);
  take(create_entry(fresh.keyring, request_for("a")));
  take(set_default(fresh.keyring, "a"));
  assert_false(has_leftovers(fresh.path));
}

void a_failure_leaves_the_old_entry(void**) {
  const Fresh fresh;
  const Made a = make(request_for("a"));
  const Made b = make(request_for("b"));
  take(import_entry(fresh.keyring, "x", Usage::personal, a.certificate_pem + a.key_pem, false));
  // No file may grow beyond 64 bytes: as on a full disk, in the middle of a write.
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{64, 64};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto failed =
        import_entry(fresh.keyring, "x", Usage::personal, b.certificate_pem + b.key_pem, true);
    _exit(!failed && failed.error().kind == Kind::system &&
                  failed.error().message.contains("certificate.pem")
              ? 0
              : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_false(has_leftovers(fresh.path));
  assert_string_equal(common_name(take(fresh.keyring.identity("x")).leaf.get()).c_str(), "a");
}

// A child that replaces "x" by `one` and `two` in turn until it is killed.
pid_t start_replacing(const Keyring& keyring, const Made& one, const Made& two) {
  const pid_t child = fork();
  if (child != 0) return child;
  const std::string pems[] = {one.certificate_pem + one.key_pem, two.certificate_pem + two.key_pem};
  for (size_t turn = 0;; ++turn) {
    if (!import_entry(keyring, "x", Usage::personal, pems[turn % 2], true)) _exit(1);
  }
}

void end(pid_t child) {
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  assert_true(WIFSIGNALED(status));  // it had not failed by itself
}

void a_killed_writer_leaves_the_old_or_the_new(void**) {
  const Fresh fresh;
  const Made one = make(request_for("one"));
  const Made two = make(request_for("two"));
  take(import_entry(fresh.keyring, "x", Usage::personal, one.certificate_pem + one.key_pem, false));
  for (useconds_t round = 0; round < 40; ++round) {
    const pid_t child = start_replacing(fresh.keyring, one, two);
    usleep(1500 + 137 * round);
    end(child);
    take(fresh.keyring.identity("x"));
  }
  take(create_entry(fresh.keyring, request_for("last")));
  assert_false(has_leftovers(fresh.path));
}

void a_reader_never_sees_a_mixture(void**) {
  const Fresh fresh;
  const Made one = make(request_for("one"));
  const Made two = make(request_for("two"));
  take(import_entry(fresh.keyring, "x", Usage::personal, one.certificate_pem + one.key_pem, false));
  const pid_t child = start_replacing(fresh.keyring, one, two);
  bool seen_one = false, seen_two = false;
  for (int turn = 0; turn < 300 || (!(seen_one && seen_two) && turn < 100'000); ++turn) {
    // identity() fails if key and certificate do not belong together.
    const std::string name = common_name(take(fresh.keyring.identity("x")).leaf.get());
    seen_one |= name == "one";
    seen_two |= name == "two";
    assert_int_equal(take(fresh.keyring.entries()).size(), 1);
  }
  end(child);
  assert_true(seen_one && seen_two);
}

void writers_at_once_lose_nothing(void**) {
  const Fresh fresh;
  const Made made = make(request_for("made"));
  const std::string pem = made.certificate_pem + made.key_pem;
  constexpr int writers = 4, entries_each = 5;
  pid_t children[writers];
  for (int writer = 0; writer < writers; ++writer) {
    children[writer] = fork();
    if (children[writer] != 0) continue;
    for (int i = 0; i < entries_each; ++i) {
      const std::string label = std::to_string(writer) + "." + std::to_string(i);
      if (!import_entry(fresh.keyring, label, Usage::personal, pem, false)) _exit(1);
      if (!set_default(fresh.keyring, label)) _exit(1);
    }
    _exit(0);
  }
  for (const pid_t child : children) {
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
  }
  assert_int_equal(take(fresh.keyring.entries()).size(), writers * entries_each);
  take(fresh.keyring.identity(""));
  assert_false(has_leftovers(fresh.path));
}

void first_use_makes_a_ca_and_a_certificate_for_this_host(void**) {
  const Scratch scratch;
  const std::string path = scratch / "share/gaiter/keyring";
  const FirstUse first = take(open_or_create(path));
  assert_true(first.made);
  assert_string_equal(take(first.keyring.default_label()).c_str(), "localhost");

  const Entry ca = take(first.keyring.entry("gaiter-ca"));
  assert_true(ca.usage == Usage::ca && ca.trusted && ca.has_key);
  assert_true(common_name(ca.leaf.get()).starts_with("Gaiter CA on "));
  const Identity identity = take(first.keyring.identity(""));
  assert_string_equal(identity.label.c_str(), "localhost");
  assert_int_equal(identity.chain.size(), 0);
  X509* const leaf = identity.leaf.get();
  const HostNames host = host_names();
  for (const std::string& name : host.dns_names) {
    assert_int_equal(X509_check_host(leaf, name.c_str(), 0, 0, nullptr), 1);
  }
  for (const std::string& address : host.ip_addresses) {
    assert_int_equal(X509_check_ip_asc(leaf, address.c_str(), 0), 1);
    assert_false(address.starts_with("fe80:") || address.starts_with("169.254."));
  }
  assert_int_equal(X509_check_host(leaf, "localhost", 0, 0, nullptr), 1);
  assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
  assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
  assert_int_equal(verify(take(first.keyring.trust()).get(), leaf), X509_V_OK);

  const std::string key = get_file(path + "/localhost/key.pem");
  assert_false(take(open_or_create(path)).made);
  assert_true(get_file(path + "/localhost/key.pem") == key);
}

void first_use_finishes_what_was_begun(void**) {
  const Scratch scratch;
  const std::string path = scratch / "keyring";
  take(open_or_create(path));
  // As if it had died before the last step, and in the middle of the one before.
  unlink((path + "/keyring.conf").c_str());
  rename((path + "/localhost").c_str(), (path + "/.tmp-entry").c_str());
  const FirstUse again = take(open_or_create(path));
  assert_true(again.made);
  const Identity identity = take(again.keyring.identity(""));
  assert_int_equal(verify(take(again.keyring.trust()).get(), identity.leaf.get()), X509_V_OK);
  assert_false(has_leftovers(path));
}

void first_uses_at_once_make_one_keyring(void**) {
  const Scratch scratch;
  const std::string path = scratch / "keyring";
  pid_t children[6];
  for (pid_t& child : children) {
    child = fork();
    if (child != 0) continue;
    const auto first = open_or_create(path);
    if (!first || !first->keyring.identity("")) _exit(100);
    _exit(first->made ? 1 : 0);
  }
  int made = 0;
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    made += WEXITSTATUS(status);
  }
  assert_int_equal(made, 1);
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
      cmocka_unit_test(the_next_writer_sweeps_what_a_dead_one_left),
      cmocka_unit_test(a_failure_leaves_the_old_entry),
      cmocka_unit_test(a_killed_writer_leaves_the_old_or_the_new),
      cmocka_unit_test(a_reader_never_sees_a_mixture),
      cmocka_unit_test(writers_at_once_lose_nothing),
      cmocka_unit_test(first_use_makes_a_ca_and_a_certificate_for_this_host),
      cmocka_unit_test(first_use_finishes_what_was_begun),
      cmocka_unit_test(first_uses_at_once_make_one_keyring),
  };
  return cmocka_run_group_tests_name("keyring_store", tests, nullptr, nullptr);
}
