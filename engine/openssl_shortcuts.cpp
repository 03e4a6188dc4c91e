// OpenSSL's own TLS 1.3 key derivations, without the detours.
//
// A handshake derives some 20 secrets and keys. OpenSSL asks a provider for each:
// parameters found by name, contexts made and copied, more work than the hash
// itself. A link with --wrap of the functions below brings those calls here.
// Without that option all is as OpenSSL has it.
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include <cstring>
#include <optional>
#include <string_view>

#include "engine/hkdf.h"
#include "engine/keyed_secrets.h"

namespace gaiter::engine {
namespace {

using Bytes = std::span<const uint8_t>;

// What TLS13-KDF is asked for (EVP_KDF-TLS13_KDF(7)).
struct Request {
  std::optional<int> mode;
  std::optional<Hash> hash;
  std::optional<Bytes> key, salt, data;
  std::string_view label;
  bool strange = false;  // something that TLS does not ask for
};

std::optional<Hash> hash_named(const OSSL_PARAM& parameter) {
  const std::string_view name(static_cast<const char*>(parameter.data));
  if (name == "SHA2-256" || name == "SHA256") return Hash::sha256;
  if (name == "SHA2-384" || name == "SHA384") return Hash::sha384;
  return std::nullopt;
}

Request read_request(const OSSL_PARAM* parameters) {
  Request request;
  for (; parameters->key != nullptr; ++parameters) {
    const std::string_view name = parameters->key;
    const Bytes bytes(static_cast<const uint8_t*>(parameters->data), parameters->data_size);
    if (name == OSSL_KDF_PARAM_MODE && parameters->data_size == sizeof(int)) {
      request.mode = *static_cast<const int*>(parameters->data);
    } else if (name == OSSL_KDF_PARAM_DIGEST) {
      request.hash = hash_named(*parameters);
    } else if (name == OSSL_KDF_PARAM_KEY) {
      request.key = bytes;
    } else if (name == OSSL_KDF_PARAM_SALT) {
      request.salt = bytes;
    } else if (name == OSSL_KDF_PARAM_DATA) {
      request.data = bytes;
    } else if (name == OSSL_KDF_PARAM_LABEL) {
      request.label = {static_cast<const char*>(parameters->data), parameters->data_size};
    } else if (name != OSSL_KDF_PARAM_PREFIX ||
               std::string_view(static_cast<const char*>(parameters->data),
                                parameters->data_size) != "tls13 ") {
      request.strange = true;
    }
  }
  return request;
}

bool fits(const std::optional<Bytes>& bytes, size_t limit) {
  return !bytes || bytes->size() <= limit;
}

void expand(Hash hash, Bytes secret, const Request& request, Bytes data, std::span<uint8_t> out) {
  if (KeyedSecrets* const keyed = KeyedSecrets::current())
    expand_label(keyed->find(hash, secret), request.label, data, out);
  else
    expand_label(Hmac(hash, secret), request.label, data, out);
}

// Derive-Secret(previous, "derived", "") as the salt, then HKDF-Extract; what is
// missing is a string of zeros (RFC 8446 7.1).
void extract_next(const Request& request, Hash hash, uint8_t* out) {
  static constexpr uint8_t zeros[max_hash_length] = {};
  const size_t length = hash_length(hash);
  const Bytes input = request.key.value_or(Bytes(zeros, length));
  if (!request.salt) return extract(hash, {}, input, out);
  uint8_t nothing[max_hash_length], salt[max_hash_length];
  hash_of_nothing(hash, nothing);
  expand(hash, *request.salt, request, {nothing, length}, {salt, length});
  extract(hash, {salt, length}, input, out);
  OPENSSL_cleanse(salt, sizeof salt);
}

// False: it is left to OpenSSL.
bool derive(EVP_KDF_CTX* context, std::span<uint8_t> out, const OSSL_PARAM* parameters) {
  const EVP_KDF* const kdf = EVP_KDF_CTX_kdf(context);
  if (parameters == nullptr || std::strcmp(EVP_KDF_get0_name(kdf), "TLS13-KDF") != 0 ||
      std::strcmp(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf)), "default") != 0)
    return false;
  const Request request = read_request(parameters);
  if (!request.hash || !request.mode || request.strange) return false;
  const size_t length = hash_length(*request.hash);
  if (!fits(request.key, length) || !fits(request.salt, length) || !fits(request.data, length) ||
      out.size() > length || request.label.size() > 64)
    return false;
  if (*request.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && request.key) {
    expand(*request.hash, *request.key, request, request.data.value_or(Bytes()), out);
    return true;
  }
  if (*request.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && out.size() == length) {
    extract_next(request, *request.hash, out.data());
    return true;
  }
  return false;
}

}  // namespace
}  // namespace gaiter::engine

// __real_X is OpenSSL's X, and __wrap_X what a call of X becomes, with --wrap=X.
extern "C" [[gnu::weak]] int __real_EVP_KDF_derive(EVP_KDF_CTX* context, unsigned char* key,
                                                   size_t length, const OSSL_PARAM* parameters);
extern "C" int __wrap_EVP_KDF_derive(EVP_KDF_CTX* context, unsigned char* key, size_t length,
                                     const OSSL_PARAM* parameters);

// TLS13-KDF of the default provider is answered here; the FIPS provider's is not.
int __wrap_EVP_KDF_derive(EVP_KDF_CTX* context, unsigned char* key, size_t length,
                          const OSSL_PARAM* parameters) {
  if (gaiter::engine::derive(context, {key, length}, parameters)) return 1;
  return __real_EVP_KDF_derive(context, key, length, parameters);
}

extern "C" [[gnu::weak]] void __real_ossl_x25519_public_from_private(uint8_t out[32],
                                                                     const uint8_t key[32]);
extern "C" [[gnu::weak]] int ossl_x25519(uint8_t out[32], const uint8_t key[32],
                                         const uint8_t peer[32]);
extern "C" void __wrap_ossl_x25519_public_from_private(uint8_t out[32], const uint8_t key[32]);

// An ephemeral key's public half: X25519(key, 9), RFC 7748 6.1. OpenSSL has faster
// arithmetic for this general form (with ADX) than for its own special one.
void __wrap_ossl_x25519_public_from_private(uint8_t out[32], const uint8_t key[32]) {
  static constexpr uint8_t base_point[32] = {9};
  if (ossl_x25519 == nullptr || ossl_x25519(out, key, base_point) != 1)
    __real_ossl_x25519_public_from_private(out, key);
}

extern "C" void __wrap_OPENSSL_cleanse(void* data, size_t length);

// OpenSSL's own wipes 8 bytes at a time, and a handshake wipes some 40 KiB.
void __wrap_OPENSSL_cleanse(void* data, size_t length) {
  if (length != 0) explicit_bzero(data, length);
}
