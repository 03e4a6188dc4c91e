// From traffic secrets to keys: against RFC 8448's traces and OpenSSL's own KDFs.
#include "engine/key_schedule.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <array>
#include <csetjmp>
#include <cstdarg>
#include <string>
#include <vector>

#include "keyring/openssl.h"

extern "C" {
#include <cmocka.h>
}

namespace gaiter::engine {
namespace {

using Data = std::vector<uint8_t>;

Data hex(const std::string& text) {
  Data out;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return out;
}

Data counting(size_t length, int first) {
  Data out(length);
  for (size_t i = 0; i != length; ++i) out[i] = static_cast<uint8_t>(static_cast<int>(i) + first);
  return out;
}

void assert_bytes(const uint8_t* actual, const Data& expected) {
  assert_memory_equal(actual, expected.data(), expected.size());
}

// What OpenSSL's KDF `name` makes of `parameters`.
Data kdf(const char* name, const std::vector<OSSL_PARAM>& parameters, size_t length) {
  EVP_KDF* const method = EVP_KDF_fetch(library_context(), name, nullptr);
  EVP_KDF_CTX* const context = EVP_KDF_CTX_new(method);
  Data out(length);
  assert_int_equal(EVP_KDF_derive(context, out.data(), length, parameters.data()), 1);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(method);
  return out;
}

OSSL_PARAM text_parameter(const char* key, const char* value) {
  return OSSL_PARAM_construct_utf8_string(key, const_cast<char*>(value), 0);
}

OSSL_PARAM data_parameter(const char* key, Data& value) {
  return OSSL_PARAM_construct_octet_string(key, value.data(), value.size());
}

Data reference_expand_label(Hash hash, Data secret, const std::string& label, size_t length) {
  Data info = {0, static_cast<uint8_t>(length), static_cast<uint8_t>(6 + label.size())};
  for (const char c : "tls13 " + label) info.push_back(static_cast<uint8_t>(c));
  info.push_back(0);
  return kdf("HKDF",
             {text_parameter(OSSL_KDF_PARAM_MODE, "EXPAND_ONLY"),
              text_parameter(OSSL_KDF_PARAM_DIGEST, hash == Hash::sha256 ? "SHA256" : "SHA384"),
              data_parameter(OSSL_KDF_PARAM_KEY, secret), data_parameter(OSSL_KDF_PARAM_INFO, info),
              OSSL_PARAM_construct_end()},
             length);
}

void derives_the_keys_of_rfc_8448(void**) {
  struct Vector {
    const char *secret, *key, *iv;
  };
  // RFC 8448 3: server handshake, server application, client application.
  for (const Vector& vector :
       {Vector{"b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
               "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30"},
        Vector{"a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
               "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"},
        Vector{"9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
               "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"}}) {
    DirectionState direction;
    derive_tls13(direction, Cipher::aes_128_gcm, BackEnd::openssl, Hash::sha256,
                 hex(vector.secret));
    assert_bytes(direction.key.key, hex(vector.key));
    assert_bytes(direction.iv, hex(vector.iv));
    assert_bytes(direction.secret, hex(vector.secret));
    assert_int_equal(direction.sequence, 0);
    assert_true(direction.version == Version::tls13);
    assert_true(direction.key.cipher == Cipher::aes_128_gcm);
    assert_int_not_equal(direction.key.id, 0);
  }
}

void derives_what_openssl_derives(void**) {
  for (const auto& [cipher, hash] :
       {std::pair{Cipher::aes_128_gcm, Hash::sha256}, std::pair{Cipher::aes_256_gcm, Hash::sha384},
        std::pair{Cipher::chacha20_poly1305, Hash::sha256}}) {
    Data secret = counting(hash == Hash::sha256 ? 32 : 48, 77);
    DirectionState direction;
    derive_tls13(direction, cipher, BackEnd::openssl, hash, secret);
    for (int update = 0; update != 5; ++update) {
      assert_bytes(direction.secret, secret);
      assert_bytes(direction.key.key,
                   reference_expand_label(hash, secret, "key", key_length(cipher)));
      assert_bytes(direction.iv, reference_expand_label(hash, secret, "iv", 12));
      assert_int_equal(direction.sequence, 0);

      const uint64_t old_id = direction.key.id;
      direction.sequence = 1000;
      update_tls13(direction);
      assert_int_not_equal(direction.key.id, old_id);
      secret = reference_expand_label(hash, secret, "traffic upd", secret.size());
    }
  }
}

void splits_the_tls12_key_block(void**) {
  Data master = counting(48, 3), client_random = counting(32, 100), server_random = counting(32, 9);
  for (const auto& [cipher, hash] :
       {std::pair{Cipher::aes_128_gcm, Hash::sha256}, std::pair{Cipher::aes_256_gcm, Hash::sha384},
        std::pair{Cipher::chacha20_poly1305, Hash::sha256}}) {
    DirectionState client, server;
    derive_tls12(client, server, cipher, BackEnd::openssl, hash,
                 std::span<const uint8_t, 48>(master), std::span<const uint8_t, 32>(client_random),
                 std::span<const uint8_t, 32>(server_random));

    const size_t key = key_length(cipher);
    const size_t iv = cipher == Cipher::chacha20_poly1305 ? 12 : 4;
    const std::string label = "key expansion";
    Data seed(label.begin(), label.end());
    seed.insert(seed.end(), server_random.begin(), server_random.end());
    seed.insert(seed.end(), client_random.begin(), client_random.end());
    const Data block =
        kdf("TLS1-PRF",
            {text_parameter(OSSL_KDF_PARAM_DIGEST, hash == Hash::sha256 ? "SHA256" : "SHA384"),
             data_parameter(OSSL_KDF_PARAM_SECRET, master),
             data_parameter(OSSL_KDF_PARAM_SEED, seed), OSSL_PARAM_construct_end()},
            2 * (key + iv));
    assert_memory_equal(client.key.key, block.data(), key);
    assert_memory_equal(server.key.key, block.data() + key, key);
    assert_memory_equal(client.iv, block.data() + 2 * key, iv);
    assert_memory_equal(server.iv, block.data() + 2 * key + iv, iv);
    assert_int_equal(client.sequence, 1);
    assert_int_equal(server.sequence, 1);
    assert_true(client.version == Version::tls12);
    assert_int_not_equal(client.key.id, server.key.id);
  }
}

void limits_the_use_of_a_key(void**) {
  // RFC 8446 5.5: 2^24.5 records with AES-GCM.
  for (const Cipher cipher : {Cipher::aes_128_gcm, Cipher::aes_256_gcm}) {
    assert_true(key_update_limit(Version::tls13, cipher) < 23'726'566);
    assert_true(key_update_limit(Version::tls12, cipher) == exhausted_sequence);
  }
  assert_true(key_update_limit(Version::tls13, Cipher::chacha20_poly1305) > uint64_t{1} << 32);
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(derives_the_keys_of_rfc_8448),
      cmocka_unit_test(derives_what_openssl_derives),
      cmocka_unit_test(splits_the_tls12_key_block),
      cmocka_unit_test(limits_the_use_of_a_key),
  };
  return cmocka_run_group_tests_name("key_schedule", tests, nullptr, nullptr);
}
