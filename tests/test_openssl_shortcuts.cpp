// engine/openssl_shortcuts: gives what OpenSSL gives, and what RFC 8448 says.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include <algorithm>
#include <csetjmp>
#include <cstdarg>
#include <cstring>
#include <string>
#include <vector>

#include "engine/keyed_secrets.h"

extern "C" {
#include <cmocka.h>

int __real_EVP_KDF_derive(EVP_KDF_CTX*, unsigned char*, size_t, const OSSL_PARAM*);
int __wrap_EVP_KDF_derive(EVP_KDF_CTX*, unsigned char*, size_t, const OSSL_PARAM*);
void __real_ossl_x25519_public_from_private(uint8_t*, const uint8_t*);
void __wrap_ossl_x25519_public_from_private(uint8_t*, const uint8_t*);
void __wrap_OPENSSL_cleanse(void*, size_t);
}

namespace {

using Bytes = std::vector<uint8_t>;

Bytes random_bytes(size_t length) {
  Bytes bytes(length);
  assert_int_equal(1, RAND_bytes(bytes.data(), static_cast<int>(length)));
  return bytes;
}

Bytes from_hex(const char* text) {
  Bytes bytes;
  for (; *text != 0; text += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(text, 2), nullptr, 16)));
  return bytes;
}

struct Derivation {
  int mode;
  const char* digest;
  Bytes key, salt, data;  // empty: not given
  std::string label;
  size_t length;
  std::string prefix = "tls13 ";
};

using Derive = int (*)(EVP_KDF_CTX*, unsigned char*, size_t, const OSSL_PARAM*);

OSSL_PARAM octets(const char* name, const void* data, size_t length) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), length);
}

Bytes derive(const Derivation& wanted, Derive function) {
  EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "TLS13-KDF", nullptr);
  EVP_KDF_CTX* const context = EVP_KDF_CTX_new(kdf);
  int mode = wanted.mode;
  std::string digest = wanted.digest;
  std::vector<OSSL_PARAM> parameters = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0)};
  const auto add = [&](const char* name, const Bytes& bytes) {
    if (!bytes.empty()) parameters.push_back(octets(name, bytes.data(), bytes.size()));
  };
  add(OSSL_KDF_PARAM_KEY, wanted.key);
  add(OSSL_KDF_PARAM_SALT, wanted.salt);
  add(OSSL_KDF_PARAM_DATA, wanted.data);
  parameters.push_back(octets(OSSL_KDF_PARAM_PREFIX, wanted.prefix.data(), wanted.prefix.size()));
  parameters.push_back(octets(OSSL_KDF_PARAM_LABEL, wanted.label.data(), wanted.label.size()));
  parameters.push_back(OSSL_PARAM_construct_end());
  Bytes out(wanted.length);
  const int result = function(context, out.data(), out.size(), parameters.data());
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return result == 1 ? out : Bytes();
}

void assert_same(const Derivation& wanted) {
  const Bytes real = derive(wanted, __real_EVP_KDF_derive);
  const Bytes ours = derive(wanted, __wrap_EVP_KDF_derive);
  assert_int_equal(real.size(), ours.size());
  assert_memory_equal(real.data(), ours.data(), real.size());
}

void test_derives_the_secrets_of_rfc_8448(void**) {
  const Bytes early = from_hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
  const Bytes shared = from_hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
  const Bytes handshake =
      from_hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
  const Bytes first = derive({EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "SHA2-256", {}, {}, {}, "", 32},
                             __wrap_EVP_KDF_derive);
  assert_memory_equal(early.data(), first.data(), 32);
  const Bytes second =
      derive({EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "SHA2-256", shared, early, {}, "derived", 32},
             __wrap_EVP_KDF_derive);
  assert_memory_equal(handshake.data(), second.data(), 32);
}

void test_expands_as_openssl_does(void**) {
  for (const char* digest : {"SHA2-256", "SHA2-384"}) {
    const size_t hash = std::strcmp(digest, "SHA2-256") == 0 ? 32 : 48;
    for (const char* label : {"key", "iv", "finished", "c hs traffic", "res master", ""}) {
      for (const size_t length : {size_t{12}, size_t{16}, size_t{32}, hash}) {
        for (const size_t data : {size_t{0}, hash}) {
          assert_same({EVP_KDF_HKDF_MODE_EXPAND_ONLY,
                       digest,
                       random_bytes(hash),
                       {},
                       random_bytes(data),
                       label,
                       length});
        }
      }
    }
  }
}

void test_extracts_as_openssl_does(void**) {
  for (const char* digest : {"SHA2-256", "SHA2-384"}) {
    const size_t hash = std::strcmp(digest, "SHA2-256") == 0 ? 32 : 48;
    for (const size_t key : {size_t{0}, size_t{32}, hash}) {
      for (const size_t salt : {size_t{0}, hash}) {
        assert_same({EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                     digest,
                     random_bytes(key),
                     random_bytes(salt),
                     {},
                     "derived",
                     hash});
      }
    }
  }
}

// What TLS does not ask for is left to OpenSSL, whatever it says to that.
void test_leaves_the_rest_to_openssl(void**) {
  const Bytes key = random_bytes(32);
  assert_same({EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", key, {}, {}, "key", 100});
  assert_same({EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-512", key, {}, {}, "key", 32});
  assert_same({EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", key, {}, {}, "key", 32, "dtls13"});
  assert_same({EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", random_bytes(200), {}, {}, "key", 32});
  assert_same({EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", {}, {}, {}, "key", 32});
}

void test_x25519_public_keys_are_openssl_s(void**) {
  for (int i = 0; i != 100; ++i) {
    const Bytes key = random_bytes(32);
    uint8_t real[32], ours[32];
    __real_ossl_x25519_public_from_private(real, key.data());
    __wrap_ossl_x25519_public_from_private(ours, key.data());
    assert_memory_equal(real, ours, 32);
  }
}

void test_wipes_what_it_is_told_to(void**) {
  for (size_t length = 0; length != 300; ++length) {
    Bytes bytes(length + 2, 0xa5);
    __wrap_OPENSSL_cleanse(bytes.data() + 1, length);
    assert_int_equal(0xa5, bytes.front());
    assert_int_equal(0xa5, bytes.back());
    assert_int_equal(length, std::count(bytes.begin() + 1, bytes.end() - 1, 0));
  }
  __wrap_OPENSSL_cleanse(nullptr, 0);
}

// Within a handshake's step secrets are kept keyed; more of them than there is room for,
// in any order, and of two hashes.
void test_derives_the_same_from_keyed_secrets(void**) {
  const gaiter::engine::KeyedSecrets keyed;
  assert_ptr_equal(&keyed, gaiter::engine::KeyedSecrets::current());
  std::vector<Bytes> secrets;
  for (int i = 0; i != 6; ++i) secrets.push_back(random_bytes(32));
  for (int i = 0; i != 100; ++i) {
    const Bytes& secret = secrets[static_cast<size_t>(i * i % 6)];
    const char* const digest = i % 3 == 0 ? "SHA2-256" : "SHA2-384";
    assert_same({EVP_KDF_HKDF_MODE_EXPAND_ONLY, digest, secret, {}, {}, "key", 32});
    assert_same({EVP_KDF_HKDF_MODE_EXPAND_ONLY, digest, secret, {}, {}, "iv", 12});
  }
  {
    const gaiter::engine::KeyedSecrets inner;
    assert_ptr_equal(&inner, gaiter::engine::KeyedSecrets::current());
  }
  assert_ptr_equal(&keyed, gaiter::engine::KeyedSecrets::current());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_derives_the_secrets_of_rfc_8448),
      cmocka_unit_test(test_expands_as_openssl_does),
      cmocka_unit_test(test_extracts_as_openssl_does),
      cmocka_unit_test(test_leaves_the_rest_to_openssl),
      cmocka_unit_test(test_x25519_public_keys_are_openssl_s),
      cmocka_unit_test(test_wipes_what_it_is_told_to),
      cmocka_unit_test(test_derives_the_same_from_keyed_secrets),
  };
  return cmocka_run_group_tests_name("openssl_shortcuts", tests, nullptr, nullptr);
}
