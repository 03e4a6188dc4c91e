// The files of a keyring: whose they must be, and what may be in them.
#include <string.h>

#include "keyring/files.h"
#include "keyring/passphrase.h"
#include "keyring/ticket_keys.h"
#include "keyring/writer.h"
#include "tests/keyring_fixture.h"

namespace gaiter::keyring {
namespace {

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
    const std::string owner = path == hand.path ? "root " : "0 ";
    assert_refused(hand.identity("a"), Kind::insecure, "user 12345", "chown " + owner + path);
    assert_int_equal(chown(path.c_str(), 0, 0), 0);
  }
}

// Whoever may write a directory above can put another keyring in this one's place.
void nobody_else_may_lead_the_way(void**) {
  if (geteuid() != 0) skip();
  const Scratch scratch;
  const std::string above = scratch / "above";
  const std::string keyring = above + "/keyring";
  const auto fails = [](const std::string& path, const std::string& part) {
    for (const auto& why :
         {Keyring::open(path).error(), stamp(path).error(),
          read_ticket_keys_file(path + "/ticket.keys").error(),
          read_passphrase(path + "/passphrase").error(), Writer::lock(path).error()}) {
      if (why.kind != Kind::insecure || why.message.find(part) == std::string::npos)
        fail_msg("for %s: %s", path.c_str(), why.message.c_str());
    }
  };
  assert_int_equal(mkdir(above.c_str(), 0755), 0);
  take(create_keyring(keyring));
  put_file(keyring + "/passphrase", "secret\n", 0600);
  take(rotate_ticket_keys(take(Keyring::open(keyring))));
  take(read_ticket_keys_file(keyring + "/ticket.keys"));
  take(read_passphrase(keyring + "/passphrase"));

  assert_int_equal(chown(above.c_str(), 12345, 12345), 0);
  fails(keyring, above + " belongs to user 12345");
  assert_int_equal(chown(above.c_str(), 0, 0), 0);
  chmod(above.c_str(), 0777);
  fails(keyring, above + " can be written by everybody");
  chmod(above.c_str(), 0775);
  fails(keyring, above + " can be written by its group");
  chmod(above.c_str(), 01777);
  take(Keyring::open(keyring));

  const std::string link = scratch / "link";
  assert_int_equal(symlink(above.c_str(), link.c_str()), 0);
  take(Keyring::open(link + "/keyring"));
  assert_int_equal(lchown(link.c_str(), 12345, 12345), 0);
  fails(link + "/keyring", link + " belongs to user 12345");
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

template <class Write>
std::string bytes_from(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  assert_int_equal(write(bio.get()), 1);
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(length));
}

void an_encrypted_key_needs_its_passphrase(void**) {
  const Hand hand;
  const Made a = make(request_for("a"));
  const std::string entry = hand.entry("a", personal, a.certificate_pem, a.key_pem);
  EVP_PKEY* key = a.identity.key.get();
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(library_context(), "AES-128-CBC", nullptr);
  const unsigned char secret[] = "secret";
  const std::string encrypted[] = {
      bytes_from([&](BIO* bio) {
        return PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, "secret", 6, nullptr, nullptr);
      }),
      bytes_from([&](BIO* bio) {
        return PEM_write_bio_PrivateKey_traditional(bio, key, cipher, secret, 6, nullptr, nullptr);
      }),
      bytes_from([&](BIO* bio) {
        return i2d_PKCS8PrivateKey_bio(bio, key, cipher, "secret", 6, nullptr, nullptr);
      }),
  };
  EVP_CIPHER_free(cipher);
  for (const std::string& bad : encrypted) {
    put_file(entry + "/key.pem", bad, 0600);
    assert_refused(hand.identity("a"), Kind::invalid, entry + "/key.pem", "encrypted",
                   "LoadCredential=gaiter-passphrase:", "passphrase_file", "passwd");

    // A person.
    std::string asked;
    const auto answer = [&](const char* passphrase) {
      return [&asked, passphrase](const std::string& file) -> Result<Content> {
        asked = file;
        return Content(std::vector<char>(passphrase, passphrase + strlen(passphrase)));
      };
    };
    take(take(Keyring::open(hand.path, answer("secret"))).identity("a"));
    assert_string_equal(asked.c_str(), (entry + "/key.pem").c_str());
    assert_refused(take(Keyring::open(hand.path, answer("sesame"))).identity("a"), Kind::invalid,
                   "key.pem", "another passphrase");

    // A file that keyring.conf names.
    const std::string file = hand.scratch / "passphrase";
    put_file(file, "secret\n", 0600);
    put_file(hand.path + "/keyring.conf", "format = 1\npassphrase_file = " + file + "\n");
    take(hand.identity("a"));
    put_file(file, "secret\n", 0644);
    assert_refused(hand.identity("a"), Kind::insecure, file, "chmod 600");

    // A credential of the service, which goes first.
    put_file(hand.scratch / "gaiter-passphrase", "secret", 0440);
    setenv("CREDENTIALS_DIRECTORY", (hand.scratch / ".").c_str(), 1);
    take(hand.identity("a"));
    unsetenv("CREDENTIALS_DIRECTORY");
    unlink((hand.scratch / "gaiter-passphrase").c_str());
    put_file(hand.path + "/keyring.conf", "format = 1\n");
  }
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

}  // namespace
}  // namespace gaiter::keyring

int main() {
  using namespace gaiter::keyring;
  const CMUnitTest tests[] = {
      cmocka_unit_test(loose_permissions_are_refused_with_the_mend),
      cmocka_unit_test(only_root_and_the_user_may_own_anything),
      cmocka_unit_test(nobody_else_may_lead_the_way),
      cmocka_unit_test(another_user_reads_trust_but_no_key),
      cmocka_unit_test(only_regular_files_are_read),
      cmocka_unit_test(sizes_are_bounded),
      cmocka_unit_test(garbage_is_refused_with_the_file),
      cmocka_unit_test(an_encrypted_key_needs_its_passphrase),
      cmocka_unit_test(every_usual_key_and_encoding_is_read),
  };
  return cmocka_run_group_tests_name("keyring_files", tests, nullptr, nullptr);
}
