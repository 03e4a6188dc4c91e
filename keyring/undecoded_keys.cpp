#include "keyring/undecoded_keys.h"

#include <openssl/decoder.h>

#include <utility>

namespace {

constinit thread_local bool leaving = false;

}  // namespace

namespace gaiter::keyring {

KeysUndecoded::KeysUndecoded(bool leave) : before_(std::exchange(leaving, leave)) {}

KeysUndecoded::~KeysUndecoded() { leaving = before_; }

}  // namespace gaiter::keyring

// __real_X is OpenSSL's X, and __wrap_X what a call of X becomes, with --wrap=X. Without
// that option keys are decoded all the same.
extern "C" [[gnu::weak]] OSSL_DECODER_CTX* __real_OSSL_DECODER_CTX_new_for_pkey(
    EVP_PKEY** key, const char* type, const char* structure, const char* algorithm, int selection,
    OSSL_LIB_CTX* context, const char* properties);
extern "C" OSSL_DECODER_CTX* __wrap_OSSL_DECODER_CTX_new_for_pkey(
    EVP_PKEY** key, const char* type, const char* structure, const char* algorithm, int selection,
    OSSL_LIB_CTX* context, const char* properties);

// X509_PUBKEY's reader decodes the key at once, and does without one if it cannot.
OSSL_DECODER_CTX* __wrap_OSSL_DECODER_CTX_new_for_pkey(EVP_PKEY** key, const char* type,
                                                       const char* structure, const char* algorithm,
                                                       int selection, OSSL_LIB_CTX* context,
                                                       const char* properties) {
  if (leaving) return nullptr;
  return __real_OSSL_DECODER_CTX_new_for_pkey(key, type, structure, algorithm, selection, context,
                                              properties);
}
