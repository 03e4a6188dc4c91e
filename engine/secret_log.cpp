#include "engine/secret_log.h"

#include <openssl/crypto.h>

#include <cstdint>
#include <span>
#include <string_view>

// The name that --wrap gives to a replacement of ssl_log_secret().
extern "C" int __wrap_ssl_log_secret(SSL* ssl, const char* label, const uint8_t* secret,
                                     size_t length);

// OpenSSL's own, or, with --wrap, another name of the replacement. Weak: it is
// internal, so another release may not have it.
extern "C" [[gnu::weak]] int ssl_log_secret(SSL* ssl, const char* label, const uint8_t* secret,
                                            size_t length);

namespace gaiter::engine {
namespace {

// Not SSL_get_app_data: a replaced ssl_log_secret() sees SSL objects of others.
int place() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void note(const SSL* ssl, std::string_view label, std::span<const uint8_t> secret) {
  auto* secrets = static_cast<TrafficSecrets*>(SSL_get_ex_data(ssl, place()));
  if (secrets != nullptr) secrets->note(label, secret);
}

constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// "LABEL client_random secret", in hex.
void on_key_log(const SSL* ssl, const char* text) {
  const std::string_view line(text);
  const std::string_view hex = line.substr(line.rfind(' ') + 1);
  uint8_t secret[EVP_MAX_MD_SIZE];
  size_t length = 0;
  for (; length != sizeof secret && 2 * length + 2 <= hex.size(); ++length) {
    const int high = hex_digit(hex[2 * length]);
    const int low = hex_digit(hex[2 * length + 1]);
    if (high < 0 || low < 0) break;
    secret[length] = static_cast<uint8_t>(high << 4 | low);
  }
  note(ssl, line.substr(0, line.find(' ')), {secret, length});
  OPENSSL_cleanse(secret, sizeof secret);
}

}  // namespace

void install_secret_log(SSL_CTX* context) {
  place();
  if (ssl_log_secret != __wrap_ssl_log_secret) SSL_CTX_set_keylog_callback(context, on_key_log);
}

void send_secrets_to(SSL* ssl, TrafficSecrets* secrets) { SSL_set_ex_data(ssl, place(), secrets); }

}  // namespace gaiter::engine

int __wrap_ssl_log_secret(SSL* ssl, const char* label, const uint8_t* secret, size_t length) {
  gaiter::engine::note(ssl, label, {secret, length});
  return 1;
}
