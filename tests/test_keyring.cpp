// Reading a keyring: what is found, in which order, and what is refused.
#include "keyring/label.h"
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

using Kind = Error::Kind;

// A keyring written by hand, as FORMAT.md says.
struct Hand {
  Scratch scratch;
  std::string path = scratch / "keyring";

  Hand() {
    assert_int_equal(mkdir(path.c_str(), 0755), 0);
    put_file(path + "/keyring.conf", "# made by hand\n format = 1 \n\n");
  }
  std::string entry(const std::string& label, const std::string& conf,
                    const std::string& certificates, const std::string& key = {}) const {
    const std::string directory = path + "/" + label;
    assert_int_equal(mkdir(directory.c_str(), 0755), 0);
    put_file(directory + "/entry.conf", conf);
    put_file(directory + "/certificate.pem", certificates);
    if (!key.empty()) put_file(directory + "/key.pem", key, 0600);
    return directory;
  }
  Keyring open() const { return take(Keyring::open(path)); }
  Result<Identity> identity(const std::string& label) const {
    auto keyring = Keyring::open(path);
    return keyring ? keyring->identity(label) : std::unexpected(keyring.error());
  }
};

const char* const personal = "usage = personal\n";

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

void loose_permissions_are_refused_with_the_mend(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  const std::string entry = hand.entry("a", personal, a.certificate_pem, a.key_pem);
  const std::string key = entry + "/key.pem";
  for (const mode_t mode : {0640, 0604, 0660, 0610, 0601, 0602}) {
    chmod(key.c_str(), mode);
    assert_refused(hand.identity("a"), Kind::insecure, key, "chmod 600 " + key);
  }
  chmod(key.c_str(), 0640);
  assert_refused(hand.identity("a"), Kind::insecure, "0640");
  assert_true(hand.open().entry("a").has_value());  // a listing needs no key
  chmod(key.c_str(), 0400);
  take(hand.identity("a"));

  const std::string paths[] = {hand.path, hand.path + "/keyring.conf", entry, entry + "/entry.conf",
                               entry + "/certificate.pem"};
  for (const std::string& path : paths) {
    const mode_t before = mode_of(path);
    for (const mode_t bit : {0020, 0002}) {
      chmod(path.c_str(), before | bit);
      assert_refused(hand.identity("a"), Kind::insecure, path, "chmod go-w " + path);
    }
    chmod(path.c_str(), before);
  }
  take(hand.identity("a"));
}

void only_root_and_the_user_may_own_anything(void**) {
  if (geteuid() != 0) skip();
  const Hand hand;
  const Made a = make(request_for("a"));
  const std::string entry = hand.entry("a", personal, a.certificate_pem, a.key_pem);
  const std::string paths[] = {hand.path, entry, entry + "/key.pem", entry + "/certificate.pem"};
  for (const std::string& path : paths) {
    assert_int_equal(chown(path.c_str(), 12345, 12345), 0);
    assert_refused(hand.identity("a"), Kind::insecure, "user 12345", "chown 0 " + path);
    assert_int_equal(chown(path.c_str(), 0, 0), 0);
  }
}

// Runs `test` in a child that is user 12345; true if it returned true.
template <class Test>
bool as_another_user(Test test) {
  const pid_t child = fork();
  if (child == 0) _exit(setgid(12345) == 0 && setuid(12345) == 0 && test() ? 0 : 1);
  int status = 1;
  waitpid(child, &status, 0);
  return status == 0;
}

void another_user_reads_trust_but_no_key(void**) {
  if (geteuid() != 0) skip();
  const Hand hand;
  chmod((hand.path + "/..").c_str(), 0755);
  const Made ca = make(request_for("ca", true));
  const Made a = make(request_for("a"), &ca);
  hand.entry("ca", "usage = ca\n", ca.certificate_pem, ca.key_pem);
  hand.entry("a", personal, a.certificate_pem, a.key_pem);
  assert_true(as_another_user([&] {
    const auto keyring = Keyring::open(hand.path);
    if (!keyring || !keyring->trust()) return false;
    const auto identity = keyring->identity("a");
    return !identity && identity.error().kind == Kind::unreadable &&
           identity.error().message.contains("a/key.pem: Permission denied");
  }));
}

void only_regular_files_are_read(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  const std::string entry = hand.entry("a", personal, a.certificate_pem, a.key_pem);
  const std::string key = entry + "/key.pem";
  rename(key.c_str(), (hand.path + "/real-key").c_str());
  assert_int_equal(symlink("../real-key", key.c_str()), 0);
  assert_refused(hand.identity("a"), Kind::insecure, key, "symbolic link");
  unlink(key.c_str());
  assert_int_equal(mkfifo(key.c_str(), 0600), 0);  // must not wait for a writer
  assert_refused(hand.identity("a"), Kind::insecure, "not a regular file");
  unlink(key.c_str());
  assert_int_equal(mkdir(key.c_str(), 0700), 0);
  assert_refused(hand.identity("a"), Kind::insecure, "not a regular file");

  assert_int_equal(symlink("a", (hand.path + "/b").c_str()), 0);
  assert_refused(hand.open().entry("b"), Kind::not_found);
  assert_int_equal(take(hand.open().entries()).size(), 1);
}

void sizes_are_bounded(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  const std::string entry = hand.entry("a", personal, a.certificate_pem, a.key_pem);
  put_file(entry + "/certificate.pem",
           std::string((1 << 20) - a.certificate_pem.size(), '\n') + a.certificate_pem);
  take(hand.identity("a"));
  put_file(entry + "/certificate.pem", std::string(1 << 20, '\n') + a.certificate_pem);
  assert_refused(hand.identity("a"), Kind::invalid, "longer than 1 MiB");
  assert_int_equal(truncate((entry + "/key.pem").c_str(), off_t{1} << 40), 0);
  assert_refused(hand.identity("a"), Kind::invalid);
}

void garbage_is_refused_with_the_file(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  const std::string entry = hand.entry("a", personal, a.certificate_pem, a.key_pem);
  const std::string good = a.certificate_pem;
  const std::string half = good.substr(0, good.size() / 2);
  std::string flipped = good;
  flipped[good.size() / 2] = '*';
  std::string request = good;
  for (size_t at; (at = request.find("CERTIFICATE-")) != request.npos;) {
    request.replace(at, 12, "X509 CRL-");
  }
  for (const std::string& bad :
       {std::string(), std::string("hello"), half, good + half, flipped, good + "-----BEGIN ",
        std::string("-----BEGIN EC PARAMETERS-----\nMAA=\n-----END EC PARAMETERS-----\n"),
        std::string("\x30\x82\x01"), std::string(1000, '\0'), request,
        std::string("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")}) {
    put_file(entry + "/certificate.pem", bad);
    assert_refused(hand.open().entry("a"), Kind::invalid, entry + "/certificate.pem");
    assert_refused(hand.identity("a"), Kind::invalid, entry + "/certificate.pem");
  }
  put_file(entry + "/certificate.pem", good + a.key_pem);
  assert_refused(hand.open().entry("a"), Kind::insecure, "holds a private key");
  put_file(entry + "/certificate.pem", good);
  put_file(entry + "/key.pem", a.key_pem.substr(0, 100), 0600);
  assert_refused(hand.identity("a"), Kind::invalid, entry + "/key.pem");
  assert_string_equal(take_openssl_reason().c_str(), "");  // nothing left for somebody else
}

std::string encrypted_pem(EVP_PKEY* key, bool traditional) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(library_context(), "AES-128-CBC", nullptr);
  const unsigned char secret[] = "secret";
  const int written = traditional ? PEM_write_bio_PrivateKey_traditional(
                                        bio.get(), key, cipher, secret, 6, nullptr, nullptr)
                                  : PEM_write_bio_PKCS8PrivateKey(bio.get(), key, cipher, "secret",
                                                                  6, nullptr, nullptr);
  EVP_CIPHER_free(cipher);
  assert_int_equal(written, 1);
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(length));
}

std::string encrypted_der(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(library_context(), "AES-128-CBC", nullptr);
  assert_int_equal(i2d_PKCS8PrivateKey_bio(bio.get(), key, cipher, "secret", 6, nullptr, nullptr),
                   1);
  EVP_CIPHER_free(cipher);
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(length));
}

void an_encrypted_key_is_refused_and_nobody_asked(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  const std::string entry = hand.entry("a", personal, a.certificate_pem, a.key_pem);
  EVP_PKEY* key = a.identity.key.get();
  for (const std::string& bad :
       {encrypted_pem(key, false), encrypted_pem(key, true), encrypted_der(key)}) {
    put_file(entry + "/key.pem", bad, 0600);
    assert_refused(hand.identity("a"), Kind::invalid, entry + "/key.pem", "encrypted",
                   "openssl pkey");
  }
}

template <class Write>
std::string bytes_from(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  assert_int_equal(write(bio.get()), 1);
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(length));
}

void every_usual_key_and_encoding_is_read(void**) {
  const KeyPtr keys[] = {
      take(make_key()),
      KeyPtr(EVP_PKEY_Q_keygen(library_context(), nullptr, "RSA", size_t{2048})),
      KeyPtr(EVP_PKEY_Q_keygen(library_context(), nullptr, "ED25519")),
  };
  for (const KeyPtr& key : keys) {
    const Made ca = make(request_for("ca", true));
    const CertificatePtr certificate = take(issue(request_for("a"), key.get(), &ca.identity));
    const Hand hand;
    const std::string entry = hand.entry("a", personal, to_pem(certificate.get()), "x");
    const bool traditional = EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519;
    std::vector<std::string> forms = {
        to_pem(key.get()),
        bytes_from([&](BIO* bio) { return i2d_PrivateKey_bio(bio, key.get()); }),
        bytes_from([&](BIO* bio) {
          return i2d_PKCS8PrivateKey_bio(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        }),
    };
    if (traditional) {
      forms.push_back(bytes_from([&](BIO* bio) {
        return PEM_write_bio_PrivateKey_traditional(bio, key.get(), nullptr, nullptr, 0, nullptr,
                                                    nullptr);
      }));
    }
    for (const std::string& form : forms) {
      put_file(entry + "/key.pem", form, 0600);
      take(hand.identity("a"));
    }
    put_file(entry + "/certificate.pem",
             bytes_from([&](BIO* bio) { return i2d_X509_bio(bio, certificate.get()); }));
    take(hand.identity("a"));
  }
}

void trusted_cas_vouch_and_others_do_not(void**) {
  const Hand hand;
  const Made ca = make(request_for("ca", true));
  const Made leaf = make(request_for("leaf"), &ca);
  const Made self = make(request_for("self"));
  X509* const leaf_certificate = leaf.identity.leaf.get();
  assert_int_not_equal(verify(take(hand.open().trust()).get(), leaf_certificate), X509_V_OK);

  const std::string entry = hand.entry("ca", "usage = ca\ntrust = off\n", ca.certificate_pem);
  assert_int_not_equal(verify(take(hand.open().trust()).get(), leaf_certificate), X509_V_OK);
  put_file(entry + "/entry.conf", "usage = ca\n");
  const TrustStorePtr store = take(hand.open().trust());
  assert_int_equal(verify(store.get(), leaf_certificate), X509_V_OK);
  assert_int_not_equal(verify(store.get(), self.identity.leaf.get()), X509_V_OK);

  // A personal entry vouches for nobody, and what is wrong with it does not matter.
  const std::string mine = hand.entry("self", personal, self.certificate_pem, self.key_pem);
  assert_int_not_equal(verify(take(hand.open().trust()).get(), self.identity.leaf.get()),
                       X509_V_OK);
  put_file(mine + "/certificate.pem", "garbage");
  assert_int_equal(verify(take(hand.open().trust()).get(), leaf_certificate), X509_V_OK);
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
  const TrustStorePtr store = take(hand.open().trust());
  assert_int_equal(verify(store.get(), others_leaf.identity.leaf.get()), X509_V_OK);
  assert_int_equal(verify(store.get(), family.leaf.identity.leaf.get()), X509_V_OK);
}

void a_site_is_trusted_alone(void**) {
  const Hand hand;
  const Made ca = make(request_for("ca", true));
  const Made site = make(request_for("site"), &ca);
  const Made sister = make(request_for("sister"), &ca);
  hand.entry("site", "usage = site\n", site.certificate_pem + ca.certificate_pem);
  const TrustStorePtr store = take(hand.open().trust());
  assert_int_equal(verify(store.get(), site.identity.leaf.get()), X509_V_OK);
  assert_int_not_equal(verify(store.get(), sister.identity.leaf.get()), X509_V_OK);
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
      cmocka_unit_test(loose_permissions_are_refused_with_the_mend),
      cmocka_unit_test(only_root_and_the_user_may_own_anything),
      cmocka_unit_test(another_user_reads_trust_but_no_key),
      cmocka_unit_test(only_regular_files_are_read),
      cmocka_unit_test(sizes_are_bounded),
      cmocka_unit_test(garbage_is_refused_with_the_file),
      cmocka_unit_test(an_encrypted_key_is_refused_and_nobody_asked),
      cmocka_unit_test(every_usual_key_and_encoding_is_read),
      cmocka_unit_test(trusted_cas_vouch_and_others_do_not),
      cmocka_unit_test(every_ca_of_a_bundle_is_an_anchor),
      cmocka_unit_test(a_site_is_trusted_alone),
      cmocka_unit_test(no_descriptor_is_left_open),
      cmocka_unit_test(the_default_path_follows_user_and_environment),
  };
  return cmocka_run_group_tests_name("keyring", tests, nullptr, nullptr);
}
