// Managing entries: shared ones, names, trust, passphrases; PKCS#12 files and the
// system's CAs as keyrings.
#include <string.h>

#include "keyring/encrypted_key.h"
#include "keyring/files.h"
#include "keyring/pkcs12.h"
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

std::string leaf_name(const Keyring& keyring, const std::string& label) {
  return common_name(take(keyring.identity(label)).leaf.get());
}

AskPassphrase answer(const std::string& passphrase) {
  return [=](const std::string&) -> Result<Content> {
    return Content(std::vector<char>(passphrase.begin(), passphrase.end()));
  };
}

void put_personal(const Keyring& keyring, const std::string& label, const Made& made,
                  bool replace = false) {
  take(import_entry(keyring, label, Usage::personal, made.certificate_pem + made.key_pem, replace));
}

// ---- shared entries ----

void a_connected_entry_is_that_of_the_other_keyring(void**) {
  const Fresh mine, other;
  const Made one = make(request_for("one")), two = make(request_for("two"));
  put_personal(other.keyring, "web", one);
  const Entry entry = take(connect_entry(mine.keyring, "shared", other.keyring, "web", {}));
  assert_string_equal(entry.connected.c_str(), (other.path + "/web").c_str());
  assert_true(entry.usage == Usage::personal && entry.has_key && entry.trusted);
  assert_false(is_there(mine.path + "/shared/key.pem"));
  assert_string_equal(leaf_name(mine.keyring, "shared").c_str(), "one");

  const Stamp before = take(stamp(mine.path));
  put_personal(other.keyring, "web", two, true);
  assert_string_equal(leaf_name(mine.keyring, "shared").c_str(), "two");
  assert_true(take(stamp(mine.path)) != before);

  // Connected to what is connected: to where it really is.
  const Fresh third;
  take(connect_entry(third.keyring, "again", mine.keyring, "shared", {}));
  assert_string_equal(take(third.keyring.entry("again")).connected.c_str(),
                      (other.path + "/web").c_str());
}

void trust_is_each_keyrings_own_but_distrust_is_everywhere(void**) {
  const Fresh mine, other;
  put_personal(other.keyring, "web", make(request_for("one")));
  take(connect_entry(mine.keyring, "web", other.keyring, "web", {}));
  take(set_trust(mine.keyring, "web", false));
  assert_refused(mine.keyring.identity("web"), Kind::invalid, "trust = off");
  take(other.keyring.identity("web"));
  take(set_trust(mine.keyring, "web", true));
  take(mine.keyring.identity("web"));
  take(set_trust(other.keyring, "web", false));
  assert_false(take(mine.keyring.entry("web")).trusted);
}

void a_connection_is_followed_with_care(void**) {
  const Fresh mine, other;
  put_personal(other.keyring, "web", make(request_for("one")));
  take(connect_entry(mine.keyring, "web", other.keyring, "web", {}));
  const std::string key = other.path + "/web/key.pem";
  assert_int_equal(chmod(key.c_str(), 0640), 0);
  assert_refused(mine.keyring.identity("web"), Kind::insecure, mine.path + "/web",
                 "connected to " + other.path + "/web", "chmod 600");
  assert_int_equal(chmod(key.c_str(), 0600), 0);
  assert_int_equal(chmod(other.path.c_str(), 0777), 0);
  assert_refused(mine.keyring.identity("web"), Kind::insecure, "go-w");
  assert_int_equal(chmod(other.path.c_str(), 0755), 0);
  take(delete_entry(other.keyring, "web"));
  assert_refused(mine.keyring.identity("web"), Kind::invalid, other.path + "/web");
  take(disconnect_entry(mine.keyring, "web"));
  assert_refused(mine.keyring.entry("web"), Kind::not_found);

  // No circles, and nothing but an entry.
  put_file(other.path + "/keyring.conf", "format = 1\n");
  assert_int_equal(mkdir((other.path + "/loop").c_str(), 0755), 0);
  const auto refused = [&](const std::string& target, auto... words) {
    put_file(other.path + "/loop/entry.conf", "usage = personal\nconnected = " + target + "\n");
    assert_refused(other.keyring.identity("loop"), Kind::invalid, words...);
  };
  refused(other.path + "/loop", "itself connected");
  refused(other.path, "connected to");
  refused("relative/web", "entry.conf:2", "absolute");
  refused("/", "entry.conf:2");
  refused("/etc/passwd/x", "connected to /etc/passwd/x");
}

void what_cannot_be_shared_is_refused(void**) {
  const Fresh mine, other;
  const Made one = make(request_for("one"));
  put_personal(mine.keyring, "own", one);
  assert_refused(connect_entry(mine.keyring, "x", other.keyring, "nosuch", {}), Kind::not_found,
                 "nosuch");
  assert_refused(disconnect_entry(mine.keyring, "own"), Kind::invalid, "not connected", "delete");
  assert_refused(disconnect_entry(mine.keyring, "onw"), Kind::not_found, "own");
  take(import_entry(other.keyring, "peer", Usage::site, one.certificate_pem, false));
  assert_refused(connect_entry(mine.keyring, "x", other.keyring, "peer", Usage::personal),
                 Kind::invalid, "no private key");
  assert_refused(connect_entry(mine.keyring, "x", other.keyring, "peer", Usage::ca), Kind::invalid,
                 "is a site there");
  assert_refused(connect_entry(mine.keyring, "own", other.keyring, "peer", {}), Kind::exists,
                 "own");
}

// ---- names and trust ----

void renaming_keeps_the_default(void**) {
  const Fresh fresh;
  put_personal(fresh.keyring, "a", make(request_for("one")));
  put_personal(fresh.keyring, "b", make(request_for("two")));
  take(set_default(fresh.keyring, "a"));
  take(rename_entry(fresh.keyring, "a", "c"));
  assert_string_equal(take(fresh.keyring.default_label()).c_str(), "c");
  assert_int_equal(mode_of(fresh.path + "/c/key.pem"), 0600);
  take(rename_entry(fresh.keyring, "b", "d"));
  assert_int_equal(take(fresh.keyring.entries()).size(), 2);
  assert_string_equal(leaf_name(fresh.keyring, "c").c_str(), "one");
  assert_string_equal(leaf_name(fresh.keyring, "d").c_str(), "two");
  assert_refused(rename_entry(fresh.keyring, "c", "d"), Kind::exists, "d");
  assert_refused(rename_entry(fresh.keyring, "e", "f"), Kind::not_found, "e");
  assert_refused(rename_entry(fresh.keyring, "c", "../f"), Kind::invalid, "no label");
  assert_false(has_leftovers(fresh.path));
}

void deleting_the_default_leaves_none(void**) {
  const Fresh fresh;
  put_personal(fresh.keyring, "a", make(request_for("one")));
  take(set_default(fresh.keyring, "a"));
  take(delete_entry(fresh.keyring, "a"));
  assert_string_equal(take(fresh.keyring.default_label()).c_str(), "");
  assert_int_equal(take(fresh.keyring.entries()).size(), 0);
  assert_refused(delete_entry(fresh.keyring, "a"), Kind::not_found);
  // What is broken can be deleted too.
  put_personal(fresh.keyring, "b", make(request_for("one")));
  put_file(fresh.path + "/b/certificate.pem", "nonsense");
  take(delete_entry(fresh.keyring, "b"));
  assert_false(has_leftovers(fresh.path));
}

void trust_changes_nothing_else(void**) {
  const Fresh fresh;
  take(create_entry(fresh.keyring, request_for("ca", true)));
  const std::string key = get_file(fresh.path + "/ca/key.pem");
  put_file(fresh.path + "/ca/crl.pem", "kept");
  take(set_trust(fresh.keyring, "ca", false));
  assert_false(take(fresh.keyring.entry("ca")).trusted);
  assert_string_equal(take(fresh.keyring.entry("ca")).origin.c_str(), "created");
  assert_true(get_file(fresh.path + "/ca/key.pem") == key);
  assert_string_equal(get_file(fresh.path + "/ca/crl.pem").c_str(), "kept");
  take(set_trust(fresh.keyring, "ca", true));
  assert_true(take(fresh.keyring.entry("ca")).trusted);
}

// ---- passphrases ----

void all_keys_are_encrypted_and_decrypted(void**) {
  const Fresh fresh;
  put_personal(fresh.keyring, "a", make(request_for("one")));
  take(create_entry(fresh.keyring, request_for("ca", true)));
  take(set_default(fresh.keyring, "a"));
  assert_int_equal(take(encrypt_keys(fresh.keyring, "sesame", "")), 2);
  for (const char* label : {"a", "ca"}) {
    const std::string path = fresh.path + "/" + label + "/key.pem";
    assert_true(get_file(path).starts_with(encrypted_key_mark));
    assert_int_equal(mode_of(path), 0600);
  }
  assert_string_equal(take(fresh.keyring.default_label()).c_str(), "a");
  assert_refused(fresh.keyring.identity("a"), Kind::invalid, "passphrase");

  const Keyring opened = take(Keyring::open(fresh.path, answer("sesame")));
  assert_string_equal(leaf_name(opened, "a").c_str(), "one");
  // A new key too, and it is not written if nobody knows the passphrase.
  take(create_entry(opened, request_for("new")));
  assert_true(get_file(fresh.path + "/new/key.pem").starts_with(encrypted_key_mark));
  assert_refused(create_entry(fresh.keyring, request_for("other")), Kind::invalid, "passphrase");
  assert_refused(fresh.keyring.entry("other"), Kind::not_found);

  // Another passphrase; some keys have it already, as after a crash.
  assert_int_equal(take(encrypt_keys(opened, "open", "")), 3);
  assert_int_equal(take(encrypt_keys(opened, "open", "")), 3);
  assert_refused(opened.identity("a"), Kind::invalid, "another passphrase");
  const Keyring again = take(Keyring::open(fresh.path, answer("open")));
  assert_int_equal(take(decrypt_keys(again)), 3);
  take(fresh.keyring.identity("a"));
  assert_false(get_file(fresh.path + "/keyring.conf").contains("encrypted"));
}

// ---- other repositories ----

void a_pkcs12_file_is_a_keyring(void**) {
  const Scratch scratch;
  const Made root = make_root();
  const Made middle = make(request_for("middle", true), &root);
  const Made leaf = make(request_for("leaf"), &middle);
  const Content der = take(
      make_pkcs12(leaf.identity.key.get(),
                  {leaf.identity.leaf.get(), middle.identity.leaf.get(), root.identity.leaf.get()},
                  "My Web", "sesame"));
  put_file(scratch / "web.p12", std::string(der.view()), 0600);
  put_file(scratch / "other", std::string(der.view()), 0600);
  for (const std::string& path : {scratch / "web.p12", "pkcs12:" + scratch / "other"}) {
    const Keyring keyring = take(Keyring::open(path, answer("sesame")));
    const auto entries = take(keyring.entries());
    assert_int_equal(entries.size(), 1);
    assert_string_equal(entries[0].label.c_str(), "My-Web");
    const Identity identity = take(keyring.identity(""));
    assert_string_equal(common_name(identity.leaf.get()).c_str(), "leaf");
    assert_int_equal(identity.chain.size(), 1);
    assert_true(EVP_PKEY_eq(identity.key.get(), leaf.identity.key.get()) == 1);
    assert_refused(create_entry(keyring, request_for("x")), Kind::invalid, "read only");
    assert_refused(keyring.identity("nosuch"), Kind::not_found, "My-Web");
  }
  assert_refused(Keyring::open(scratch / "web.p12", answer("open")), Kind::invalid, "web.p12",
                 "another passphrase");
  assert_refused(Keyring::open(scratch / "web.p12"), Kind::invalid, "LoadCredential");
  assert_int_equal(chmod((scratch / "web.p12").c_str(), 0644), 0);
  assert_refused(Keyring::open(scratch / "web.p12", answer("sesame")), Kind::insecure, "chmod 600");
  assert_refused(Keyring::open(scratch / "none.p12"), Kind::not_found, "none.p12");
  assert_refused(create_keyring("pkcs12:" + scratch / "new"), Kind::invalid, "read only");
}

void a_token_is_refused_clearly(void**) {
  assert_refused(Keyring::open("pkcs11:token=x"), Kind::invalid, "pkcs11:token=x", "PKCS#11");
  assert_refused(stamp("pkcs11:token=x"), Kind::invalid, "PKCS#11");
}

void the_systems_cas_are_a_keyring(void**) {
  const auto keyring = Keyring::open("system:");
  if (!keyring) {  // a machine without the package
    assert_refused(keyring, Kind::not_found, "ca-certificates");
    skip();
  }
  const auto entries = take(keyring->entries());
  assert_int_equal(entries.size(), 1);
  assert_true(entries[0].usage == Usage::ca && !entries[0].has_key);
  assert_true(entries[0].chain.size() > 10);
  assert_non_null(take(keyring->trust()).authorities.get());
  assert_refused(keyring->identity(""), Kind::not_found, "no personal entry");
  assert_refused(keyring->identity("system"), Kind::invalid, "no key");
  // In a keyring of one's own.
  const Fresh fresh;
  take(connect_entry(fresh.keyring, "public", *keyring, "system", {}));
  assert_int_equal(take(fresh.keyring.entry("public")).chain.size(), entries[0].chain.size());
  take(fresh.keyring.trust());
  take(stamp(fresh.path));
}

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_connected_entry_is_that_of_the_other_keyring),
      cmocka_unit_test(trust_is_each_keyrings_own_but_distrust_is_everywhere),
      cmocka_unit_test(a_connection_is_followed_with_care),
      cmocka_unit_test(what_cannot_be_shared_is_refused),
      cmocka_unit_test(renaming_keeps_the_default),
      cmocka_unit_test(deleting_the_default_leaves_none),
      cmocka_unit_test(trust_changes_nothing_else),
      cmocka_unit_test(all_keys_are_encrypted_and_decrypted),
      cmocka_unit_test(a_pkcs12_file_is_a_keyring),
      cmocka_unit_test(a_token_is_refused_clearly),
      cmocka_unit_test(the_systems_cas_are_a_keyring),
  };
  return cmocka_run_group_tests_name("keyring_manage", tests, nullptr, nullptr);
}
