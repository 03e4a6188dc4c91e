// OpenSSL's secure heap has a fixed size, and OpenSSL fails when it is full: here it
// goes on in the ordinary heap. (`--wrap` in the Makefile sends its calls here.)
#include <openssl/crypto.h>
#include <openssl/err.h>

extern "C" {

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

}  // extern "C"
