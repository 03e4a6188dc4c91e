// A program that exports names of OpenSSL, as node does, and ends if one of its own is called.
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DECOY(name) \
  void name(void) { _exit(99); }
DECOY(SSL_new)
DECOY(SSL_CTX_new)
DECOY(SSL_CTX_new_ex)
DECOY(SSL_do_handshake)
DECOY(SSL_free)
DECOY(TLS_method)
DECOY(EVP_EncryptInit_ex)
DECOY(EVP_CIPHER_CTX_new)
DECOY(EVP_CIPHER_fetch)
DECOY(EVP_PKEY_free)
DECOY(BIO_new)
DECOY(BIO_s_mem)
DECOY(CRYPTO_malloc)
DECOY(CRYPTO_zalloc)
DECOY(CRYPTO_free)
DECOY(CRYPTO_THREAD_lock_new)
DECOY(ERR_clear_error)
DECOY(OPENSSL_init_crypto)
DECOY(OPENSSL_init_ssl)
DECOY(OSSL_LIB_CTX_new)
DECOY(RAND_bytes_ex)
DECOY(X509_new)
DECOY(d2i_X509)
DECOY(config_init)
DECOY(init_mb_mgr_auto)

int main(int count, char** words) {
  if (count != 3) return 2;
  char answer[100] = "";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) return 1;
  if (dprintf(fd, "%s\n", words[2]) < 0 || read(fd, answer, sizeof answer - 1) <= 0) return 1;
  fputs(answer, stdout);
  return 0;
}
