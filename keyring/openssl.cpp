#include "keyring/openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "keyring/openssl_memory.h"
#include "keyring/openssl_random.h"

namespace gaiter {

namespace {

// Some 500 RSA keys or thousands of others; what is more goes to the ordinary heap.
constexpr size_t secure_heap_size = size_t{1} << 19;
constexpr size_t secure_heap_unit = 32;

// OpenSSL's first call of all, whichever it is, decides whether it cleans up at exit,
// which threads that are still in a handshake would not survive, and where its memory
// comes from. So this comes before every other: when the library is loaded.
[[gnu::constructor(101)]] void set_up_openssl() {
  install_openssl_memory();
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
}

}  // namespace

void free_key(EVP_PKEY* key) { EVP_PKEY_free(key); }
void free_certificate(X509* certificate) { X509_free(certificate); }
void free_trust_store(X509_STORE* store) { X509_STORE_free(store); }
void free_crl(X509_CRL* crl) { X509_CRL_free(crl); }

std::string_view contents(const BioPtr& bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return {data, length > 0 ? static_cast<size_t>(length) : 0};
}

OSSL_LIB_CTX* library_context() {
  static OSSL_LIB_CTX* const context = [] {
    // No openssl.cnf: it is the program's, and may weaken what we set.
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    install_openssl_random();
    // From now on OpenSSL keeps private keys in memory that is not dumped
    // (MADV_DONTDUMP), and is locked if RLIMIT_MEMLOCK allows. Without it they are in
    // the ordinary heap.
#ifndef __SANITIZE_ADDRESS__
    CRYPTO_secure_malloc_init(secure_heap_size, secure_heap_unit);
#else
    // The leak checker does not look into that heap, and takes what is held from there
    // (random generators hold their ciphers) for lost.
    static_cast<void>(secure_heap_size + secure_heap_unit);
#endif
    return OSSL_LIB_CTX_new();
  }();
  return context;
}

std::string take_openssl_reason() {
  std::string first;
  while (const unsigned long code = ERR_get_error()) {
    if (!first.empty()) continue;
    const char* reason = ERR_reason_error_string(code);
    first = reason != nullptr ? reason : "error " + std::to_string(code);
  }
  return first;
}

}  // namespace gaiter
