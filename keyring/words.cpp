#include "keyring/words.h"

#include <openssl/bn.h>

#include <cstdio>
#include <ctime>

#include "keyring/openssl.h"

namespace gaiter::keyring {

std::string serial_text(const ASN1_INTEGER* serial) {
  BIGNUM* const number = ASN1_INTEGER_to_BN(serial, nullptr);
  char* const digits = number != nullptr ? BN_bn2hex(number) : nullptr;
  std::string text = digits != nullptr ? digits : "?";
  OPENSSL_free(digits);
  BN_free(number);
  return text;
}

std::string time_text(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm fields = {};
  char text[32] = "";
  if (gmtime_r(&seconds, &fields) != nullptr) {
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &fields);
  }
  return text;
}

std::optional<std::chrono::sys_seconds> parse_time(std::string_view text) {
  std::tm fields = {};
  const std::string terminated(text);
  const char* const end = strptime(terminated.c_str(), "%Y-%m-%dT%H:%M:%SZ", &fields);
  if (end == nullptr || end != terminated.c_str() + terminated.size()) return std::nullopt;
  const std::chrono::sys_seconds time{std::chrono::seconds(timegm(&fields))};
  return time_text(time) == text ? std::optional(time) : std::nullopt;
}

std::chrono::sys_seconds time_of(const ASN1_TIME* time) {
  std::tm fields = {};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
  return std::chrono::sys_seconds{std::chrono::seconds(timegm(&fields))};
}

std::chrono::sys_seconds now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string hexadecimal(const unsigned char* bytes, size_t length) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * length);
  for (size_t i = 0; i < length; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

std::string sha256_text(std::span<const unsigned char> bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  size_t length = 0;
  const bool good = EVP_Q_digest(library_context(), "SHA256", nullptr, bytes.data(), bytes.size(),
                                 digest, &length) == 1;
  take_openssl_reason();
  return good ? hexadecimal(digest, length) : "?";
}

}  // namespace gaiter::keyring
