// Reading a keyring: what is found, in which order, and who is trusted.
#include "keyring/label.h"
#include "keyring/trust_of.h"
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

struct Family {
  Made root = make_root();
  Made middle = make(request_for("middle", true), &root);
  Made leaf = make(request_for("leaf"), &middle);
};

void finds_entries_sorted_with_all_that_is_known(void**) {
  const Hand hand;
  const Made ca = make(request_for("ca", true));
  const Made redis = make(request_for("redis"), &ca);
  hand.entry("redis", "usage=personal\norigin = signed by ca\n", redis.certificate_pem,
             redis.key_pem);
  hand.entry("ca", "usage = ca\ntrust = off\n", ca.certificate_pem);
  put_file(hand.path + "/keyring.conf", "format = 1\ndefault = redis\n");
  put_file(hand.path + "/README", "not an entry");
  assert_int_equal(mkdir((hand.path + "/.tmp-entry").c_str(), 0755), 0);

  const auto entries = take(hand.open().entries());
  assert_int_equal(entries.size(), 2);
  assert_string_equal(entries[0].label.c_str(), "ca");
  assert_true(entries[0].usage == Usage::ca && !entries[0].trusted && !entries[0].has_key);
  assert_string_equal(entries[1].label.c_str(), "redis");
  assert_true(entries[1].usage == Usage::personal && entries[1].trusted && entries[1].has_key);
  assert_true(entries[1].is_default && !entries[0].is_default);
  assert_string_equal(entries[1].origin.c_str(), "signed by ca");
  assert_string_equal(take(hand.open().default_label()).c_str(), "redis");
}

void no_keyring_is_not_found(void**) {
  const Hand hand;
  assert_refused(Keyring::open(hand.path + "/nothing"), Kind::not_found, "/nothing");
  assert_refused(Keyring::open(""), Kind::not_found);
  unlink((hand.path + "/keyring.conf").c_str());
  assert_refused(Keyring::open(hand.path), Kind::not_found, "is not a keyring", "keyring.conf");
}

void a_relative_path_survives_chdir(void**) {
  const Hand hand;
  char before[4096];
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir((hand.path + "/..").c_str()), 0);
  const Keyring keyring = take(Keyring::open("keyring"));
  assert_int_equal(chdir(before), 0);
  assert_true(keyring.path().starts_with('/'));
  assert_true(keyring.entries().has_value());
}

void wrong_lines_name_file_line_and_word(void**) {
  const Hand hand;
  const Made made = make(request_for("a"));
  const std::string conf = hand.entry("a", personal, made.certificate_pem) + "/entry.conf";
  const auto refused = [&](const char* text, auto... words) {
    put_file(conf, text);
    assert_refused(hand.open().entry("a"), Kind::invalid, "a/entry.conf", words...);
  };
  refused("usage = personal\ntrsut = off\n", ":2:", "trsut", "usage, trust, origin");
  refused("usage = personel\n", ":1:", "personel", "personal, ca or site");
  refused("usage = ca\ntrust = no\n", ":2:", "on or off");
  refused("usage = ca\nusage = site\n", ":2:", "twice");
  refused("usage\n", ":1:", "key = value");
  refused("", "usage = personal");
  unlink(conf.c_str());
  assert_refused(hand.open().entry("a"), Kind::invalid, "entry.conf");

  put_file(hand.path + "/keyring.conf", "format = 2\n");
  assert_refused(Keyring::open(hand.path), Kind::invalid, "keyring.conf:1:", "format 2");
  put_file(hand.path + "/keyring.conf", "");
  assert_refused(Keyring::open(hand.path), Kind::invalid, "format = 1");
  put_file(hand.path + "/keyring.conf", "format = 1\ndefault = ../x\n");
  assert_refused(Keyring::open(hand.path), Kind::invalid, "keyring.conf:2:");
}

void labels_are_bounded_and_safe_file_names(void**) {
  for (const char* good : {"a", "Redis-1", "x@host.example+2", "_", "9", "default"}) {
    assert_true(check_label(good).has_value());
  }
  assert_true(check_label(std::string(64, 'a')).has_value());
  for (const char* bad : {"", ".", "..", ".tmp-entry", "-x", "a/b", "a b", "ä", "keyring.conf"}) {
    assert_refused(check_label(bad), Kind::invalid, "is no label");
  }
  assert_refused(check_label(std::string(65, 'a')), Kind::invalid);
  assert_refused(check_label(std::string_view("a\0b", 3)), Kind::invalid);
  const Hand hand;
  assert_refused(hand.identity("../keyring"), Kind::invalid, "is no label");
}

void a_missing_label_names_the_nearest(void**) {
  const Hand hand;
  assert_refused(hand.identity("redsi"), Kind::not_found, "redsi", "none at all");
  const Made made = make(request_for("a"));
  for (const char* label : {"redis", "postgres", "redis-ca", "x", "nginx"}) {
    hand.entry(label, personal, made.certificate_pem, made.key_pem);
  }
  assert_refused(hand.identity("redsi"), Kind::not_found, "nearest: redis ");
  assert_refused(hand.open().entry("postgre"), Kind::not_found, "nearest: postgres ");
}

void an_empty_label_is_the_default_or_the_only_one(void**) {
  const Hand hand;
  assert_refused(hand.identity(""), Kind::not_found, "no personal entry");
  const Made ca = make(request_for("ca", true));
  const Made a = make(request_for("a"), &ca);
  hand.entry("ca", "usage = ca\n", ca.certificate_pem, ca.key_pem);
  hand.entry("a", personal, a.certificate_pem, a.key_pem);
  assert_string_equal(take(hand.identity("")).label.c_str(), "a");
  hand.entry("b", personal, a.certificate_pem, a.key_pem);
  assert_refused(hand.identity(""), Kind::not_found, "gaiter keyring default LABEL");
  put_file(hand.path + "/keyring.conf", "format = 1\ndefault = b\n");
  assert_string_equal(take(hand.identity("")).label.c_str(), "b");
  put_file(hand.path + "/keyring.conf", "format = 1\ndefault = gone\n");
  assert_refused(hand.identity(""), Kind::not_found, "gone", "nearest");
}

void a_chain_in_any_order_comes_out_sorted_without_root(void**) {
  const Hand hand;
  const Family family;
  const Made stranger = make(request_for("stranger", true));
  hand.entry("leaf", personal,
             family.root.certificate_pem + "a comment\n" + stranger.certificate_pem +
                 family.middle.certificate_pem + family.leaf.certificate_pem +
                 family.middle.certificate_pem,
             family.leaf.key_pem);
  const Identity identity = take(hand.identity("leaf"));
  assert_string_equal(common_name(identity.leaf.get()).c_str(), "leaf");
  assert_int_equal(identity.chain.size(), 1);
  assert_string_equal(common_name(identity.chain[0].get()).c_str(), "middle");
  assert_int_equal(X509_check_private_key(identity.leaf.get(), identity.key.get()), 1);
  const Entry entry = take(hand.open().entry("leaf"));
  assert_string_equal(common_name(entry.leaf.get()).c_str(), "leaf");
  assert_int_equal(entry.chain.size(), 2);
  assert_string_equal(common_name(entry.chain[1].get()).c_str(), "root");
}

void a_key_that_does_not_fit_is_refused(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  const Made b = make(request_for("b"));
  const std::string entry = hand.entry("a", personal, a.certificate_pem, b.key_pem);
  assert_refused(hand.identity("a"), Kind::invalid, "key.pem does not belong to",
                 "certificate.pem");
  unlink((entry + "/key.pem").c_str());
  assert_refused(hand.identity("a"), Kind::invalid, "no private key");
  assert_true(hand.open().entry("a").has_value());
  put_file(entry + "/key.pem", a.certificate_pem, 0600);
  assert_refused(hand.identity("a"), Kind::invalid, "no private key");
  put_file(entry + "/key.pem", a.key_pem + b.key_pem, 0600);
  assert_refused(hand.identity("a"), Kind::invalid, "more than one private key");
}

void a_distrusted_entry_is_not_used(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  hand.entry("a", "usage = personal\ntrust = off\n", a.certificate_pem, a.key_pem);
  assert_refused(hand.identity("a"), Kind::invalid, "trust = off");
}

void trusted_cas_vouch_and_others_do_not(void**) {
  const Hand hand;
  const Made ca = make(request_for("ca", true));
  const Made leaf = make(request_for("leaf"), &ca);
  const Made self = make(request_for("self"));
  X509* const leaf_certificate = leaf.identity.leaf.get();
  assert_int_not_equal(verify(take(hand.open().trust()), leaf_certificate), X509_V_OK);

  const std::string entry = hand.entry("ca", "usage = ca\ntrust = off\n", ca.certificate_pem);
  assert_int_not_equal(verify(take(hand.open().trust()), leaf_certificate), X509_V_OK);
  put_file(entry + "/entry.conf", "usage = ca\n");
  const Trust trusted = take(hand.open().trust());
  assert_int_equal(verify(trusted, leaf_certificate), X509_V_OK);
  assert_int_not_equal(verify(trusted, self.identity.leaf.get()), X509_V_OK);

  // A personal entry vouches for nobody, and what is wrong with it does not matter.
  const std::string mine = hand.entry("self", personal, self.certificate_pem, self.key_pem);
  assert_int_not_equal(verify(take(hand.open().trust()), self.identity.leaf.get()), X509_V_OK);
  put_file(mine + "/certificate.pem", "garbage");
  assert_int_equal(verify(take(hand.open().trust()), leaf_certificate), X509_V_OK);
  // What is wrong with a CA does.
  put_file(entry + "/certificate.pem", "garbage");
  assert_refused(hand.open().trust(), Kind::invalid, "ca/certificate.pem");
}

void every_ca_of_a_bundle_is_an_anchor(void**) {
  const Hand hand;
  const Family family;
  const Made other = make(request_for("other", true));
  const Made others_leaf = make(request_for("others-leaf"), &other);
  hand.entry("bundle", "usage = ca\n", other.certificate_pem + family.middle.certificate_pem);
  const Trust trusted = take(hand.open().trust());
  assert_int_equal(verify(trusted, others_leaf.identity.leaf.get()), X509_V_OK);
  assert_int_equal(verify(trusted, family.leaf.identity.leaf.get()), X509_V_OK);
}

void a_site_is_trusted_alone(void**) {
  const Hand hand;
  const Made ca = make(request_for("ca", true));
  const Made site = make(request_for("site"), &ca);
  const Made sister = make(request_for("sister"), &ca);
  hand.entry("site", "usage = site\n", site.certificate_pem + ca.certificate_pem);
  const Trust trusted = take(hand.open().trust());
  assert_int_equal(verify(trusted, site.identity.leaf.get()), X509_V_OK);
  assert_int_not_equal(verify(trusted, sister.identity.leaf.get()), X509_V_OK);
}

// "CA:TRUE", as `openssl req -x509` makes it, gives a site no more rights.
void a_site_that_says_it_is_a_ca_is_trusted_alone(void**) {
  const Hand hand;
  const Made site = make(request_for("site", true));
  const Made signed_by_it = make(request_for("leaf"), &site);
  const std::string entry = hand.entry("site", "usage = site\n", site.certificate_pem);
  const Trust trusted = take(hand.open().trust());
  assert_int_equal(verify(trusted, site.identity.leaf.get()), X509_V_OK);
  assert_int_not_equal(verify(trusted, signed_by_it.identity.leaf.get()), X509_V_OK);
  put_file(entry + "/entry.conf", "usage = ca\n");
  assert_int_equal(verify(take(hand.open().trust()), signed_by_it.identity.leaf.get()), X509_V_OK);
}

void trust_of_some_labels(void**) {
  const Hand hand;
  const Made one = make(request_for("one", true)), two = make(request_for("two", true));
  const Made of_one = make(request_for("of-one"), &one), of_two = make(request_for("of-two"), &two);
  const Made site = make(request_for("site"));
  const std::string entry = hand.entry("one", "usage = ca\n", one.certificate_pem);
  hand.entry("two", "usage = ca\n", two.certificate_pem);
  hand.entry("site", "usage = site\n", site.certificate_pem);
  hand.entry("mine", personal, of_one.certificate_pem, of_one.key_pem);
  const Trust first = take(trust_of(hand.open(), {"one"}));
  assert_int_equal(verify(first, of_one.identity.leaf.get()), X509_V_OK);
  assert_int_not_equal(verify(first, of_two.identity.leaf.get()), X509_V_OK);
  assert_int_not_equal(verify(first, site.identity.leaf.get()), X509_V_OK);
  const Trust both = take(trust_of(hand.open(), {"site", "two"}));
  assert_int_equal(verify(both, of_two.identity.leaf.get()), X509_V_OK);
  assert_int_equal(verify(both, site.identity.leaf.get()), X509_V_OK);
  assert_int_not_equal(verify(both, of_one.identity.leaf.get()), X509_V_OK);
  assert_refused(trust_of(hand.open(), {"one", "tow"}), Kind::not_found, "no entry \"tow\"");
  assert_refused(trust_of(hand.open(), {"mine"}), Kind::invalid, "vouches for nobody", "personal");
  put_file(entry + "/entry.conf", "usage = ca\ntrust = off\n");
  assert_refused(trust_of(hand.open(), {"one"}), Kind::invalid, "trust = off");
}

void no_descriptor_is_left_open(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  hand.entry("a", personal, a.certificate_pem, a.key_pem);
  const int before = dup(0);
  close(before);
  take(hand.identity("a"));
  take(hand.open().entries());
  take(hand.open().trust());
  (void)hand.identity("missing");
  const int after = dup(0);
  close(after);
  assert_int_equal(before, after);
}

void the_default_path_follows_user_and_environment(void**) {
  if (geteuid() != 0) skip();
  setenv("XDG_DATA_HOME", "/data", 1);
  assert_string_equal(default_path().c_str(), "/etc/gaiter/keyring");
  assert_true(as_another_user([] { return default_path() == "/data/gaiter/keyring"; }));
  setenv("XDG_DATA_HOME", "relative", 1);
  setenv("HOME", "/home/somebody", 1);
  assert_true(as_another_user(
      [] { return default_path() == "/home/somebody/.local/share/gaiter/keyring"; }));
  unsetenv("XDG_DATA_HOME");
  unsetenv("HOME");  // and user 12345 is not in passwd
  assert_true(as_another_user([] { return default_path() == "/etc/gaiter/keyring"; }));
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(finds_entries_sorted_with_all_that_is_known),
      cmocka_unit_test(no_keyring_is_not_found),
      cmocka_unit_test(a_relative_path_survives_chdir),
      cmocka_unit_test(wrong_lines_name_file_line_and_word),
      cmocka_unit_test(labels_are_bounded_and_safe_file_names),
      cmocka_unit_test(a_missing_label_names_the_nearest),
      cmocka_unit_test(an_empty_label_is_the_default_or_the_only_one),
      cmocka_unit_test(a_chain_in_any_order_comes_out_sorted_without_root),
      cmocka_unit_test(a_key_that_does_not_fit_is_refused),
      cmocka_unit_test(a_distrusted_entry_is_not_used),
      cmocka_unit_test(trusted_cas_vouch_and_others_do_not),
      cmocka_unit_test(every_ca_of_a_bundle_is_an_anchor),
      cmocka_unit_test(a_site_is_trusted_alone),
      cmocka_unit_test(a_site_that_says_it_is_a_ca_is_trusted_alone),
      cmocka_unit_test(trust_of_some_labels),
      cmocka_unit_test(no_descriptor_is_left_open),
      cmocka_unit_test(the_default_path_follows_user_and_environment),
  };
  return cmocka_run_group_tests_name("keyring", tests, nullptr, nullptr);
}
