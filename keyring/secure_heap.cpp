// Private keys in OpenSSL's secure heap, further than OpenSSL itself goes (`--wrap` in the
// Makefile sends its calls here).
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

extern "C" {

// The heap has a fixed size, and OpenSSL fails when it is full: go on in the ordinary
// heap.

void* __real_CRYPTO_secure_malloc(size_t size, const char* file, int line);
void* __real_CRYPTO_secure_zalloc(size_t size, const char* file, int line);

void* __wrap_CRYPTO_secure_malloc(size_t size, const char* file, int line) {
  ERR_set_mark();
  void* const memory = __real_CRYPTO_secure_malloc(size, file, line);
  ERR_pop_to_mark();
  return memory != nullptr ? memory : CRYPTO_malloc(size, file, line);
}

void* __wrap_CRYPTO_secure_zalloc(size_t size, const char* file, int line) {
  ERR_set_mark();
  void* const memory = __real_CRYPTO_secure_zalloc(size, file, line);
  ERR_pop_to_mark();
  return memory != nullptr ? memory : CRYPTO_zalloc(size, file, line);
}

// The first use of an RSA key copies its primes (as moduli of Montgomery's
// multiplication, which it keeps): the copy of a secret is a secret.

BIGNUM* __real_BN_copy(BIGNUM* to, const BIGNUM* from);

BIGNUM* __wrap_BN_copy(BIGNUM* to, const BIGNUM* from) {
  if (BN_get_flags(from, BN_FLG_SECURE) != 0) BN_set_flags(to, BN_FLG_SECURE);
  return __real_BN_copy(to, from);
}

}  // extern "C"
