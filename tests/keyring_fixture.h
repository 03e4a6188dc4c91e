// What the keyring's tests share: a scratch directory, raw file access, and
// certificates made on the spot.
#pragma once

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "keyring/issue.h"
#include "keyring/keyring.h"
#include "keyring/pem.h"
#include "keyring/store.h"

// After all else: it has a macro `fail`.
extern "C" {
#include <cmocka.h>
}

namespace gaiter::keyring {

using Kind = Error::Kind;

// A directory that goes with the test. What is made in it has the modes that are asked for.
class Scratch {
 public:
  Scratch() {
    umask(022);
    char name[] = "/tmp/gaiter-test-XXXXXX";
    path_ = mkdtemp(name) != nullptr ? name : "/nonexistent";
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void put_file(const std::string& path, const std::string& text, mode_t mode = 0644) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  assert_int_equal(chmod(path.c_str(), mode), 0);
}

inline std::string get_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline mode_t mode_of(const std::string& path) {
  struct stat status;
  assert_int_equal(lstat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

inline bool is_there(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0;
}

// Fails the test with the message of an Error that was not expected.
template <class T>
T take(Result<T> result) {
  if (!result) fail_msg("%s", result.error().message.c_str());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// Asserts the kind, and that each of `words` is in the message.
template <class T, class... Words>
void assert_refused(const Result<T>& result, Error::Kind kind, Words... words) {
  assert_false(result.has_value());
  const std::string& message = result.error().message;
  if (result.error().kind != kind) fail_msg("another kind of error: %s", message.c_str());
  for (const std::string& word : std::vector<std::string>{words...}) {
    if (!message.contains(word)) fail_msg("no \"%s\" in: %s", word.c_str(), message.c_str());
  }
}

// Key and certificate that are in no keyring.
struct Made {
  Identity identity;
  std::string certificate_pem, key_pem;
};

inline std::string to_pem(const X509* certificate) {
  return take(certificates_to_pem({certificate}));
}

inline std::string to_pem(const EVP_PKEY* key) {
  const BioPtr bio = take(key_to_pem(key));
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(length));
}

inline NewCertificate request_for(const std::string& name, bool is_ca = false) {
  return {.label = name,
          .common_name = name,
          .dns_names = {},
          .ip_addresses = {},
          .lifetime = std::chrono::days{30},
          .is_ca = is_ca};
}

inline Made make(const NewCertificate& request, const Made* signer = nullptr) {
  Made made;
  made.identity.label = request.label;
  made.identity.key = take(make_key());
  made.identity.leaf = take(
      issue(request, made.identity.key.get(), signer != nullptr ? &signer->identity : nullptr));
  made.certificate_pem = to_pem(made.identity.leaf.get());
  made.key_pem = to_pem(made.identity.key.get());
  return made;
}

// A CA that may have CAs under it.
inline Made make_root() {
  NewCertificate request = request_for("root", true);
  request.limits.path_length = any_path_length;
  return make(request);
}

inline std::string common_name(const X509* certificate) {
  char text[128] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  return text;
}

// X509_V_OK or why `leaf` is not trusted.
inline int verify(const Trust& trust, X509* leaf) {
  X509_STORE_CTX* context = X509_STORE_CTX_new_ex(library_context(), nullptr);
  assert_int_equal(X509_STORE_CTX_init(context, trust.authorities.get(), leaf, nullptr), 1);
  verify_chain(context, trust.sites);
  const int error = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  take_openssl_reason();
  return error;
}

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

inline constexpr const char* personal = "usage = personal\n";

// A keyring made by Gaiter.
struct Fresh {
  Scratch scratch;
  std::string path = scratch / "keyring";
  Keyring keyring = take(create_keyring(path));
};

inline bool has_leftovers(const std::string& path) {
  return std::ranges::any_of(std::filesystem::directory_iterator(path), [](const auto& item) {
    return item.path().filename().string().starts_with(".tmp-");
  });
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

}  // namespace gaiter::keyring
