#include "engine/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include "engine/hmac.h"
#include "keyring/openssl.h"

namespace gaiter::engine {
namespace {

// Not OpenSSL's generator, whose set-up costs what a program should not pay before
// its first handshake.
keyring::TicketKey random_key() {
  keyring::TicketKey key;
  const auto fill = [](std::span<uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
      if (got > 0) bytes = bytes.subspan(static_cast<size_t>(got));
      if (got < 0 && errno != EINTR) std::abort();  // no kernel that runs us lacks it
    }
  };
  fill(key.name);
  fill(key.seed);
  return key;
}

const keyring::TicketKey& own_key() {
  static const keyring::TicketKey* const key = new keyring::TicketKey(random_key());
  return *key;
}

std::array<uint8_t, 32> derive_part(const Hmac& seed, std::string_view label) {
  std::array<uint8_t, 32> part{};
  seed.compute({{reinterpret_cast<const uint8_t*>(label.data()), label.size()}}, part.data());
  return part;
}

const EVP_CIPHER* ticket_cipher() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(library_context(), "AES-256-CBC", nullptr);
  return cipher;
}

}  // namespace

TicketKeys::TicketKeys(const std::vector<keyring::TicketKey>& shared) {
  for (const keyring::TicketKey& key : shared) keys_.push_back(derive(key));
  if (shared.empty()) keys_.push_back(derive(own_key()));
}

TicketKeys::~TicketKeys() { OPENSSL_cleanse(keys_.data(), keys_.size() * sizeof(Key)); }

TicketKeys::Key TicketKeys::derive(const keyring::TicketKey& from) {
  const Hmac seed(Hash::sha256, from.seed);
  return {from.name, derive_part(seed, "gaiter ticket encryption"),
          derive_part(seed, "gaiter ticket authentication")};
}

int TicketKeys::prepare(uint8_t name[16], uint8_t iv[EVP_MAX_IV_LENGTH], EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac, bool encrypt) const {
  auto key = keys_.begin();
  if (encrypt) {
    std::ranges::copy(key->name, name);
    const int length = EVP_CIPHER_get_iv_length(ticket_cipher());
    if (RAND_bytes_ex(library_context(), iv, static_cast<size_t>(length), 0) != 1) return -1;
  } else {
    key = std::ranges::find_if(keys_, [name](const Key& one) {
      return std::memcmp(one.name.data(), name, one.name.size()) == 0;
    });
    if (key == keys_.end()) return 0;
  }
  char digest[] = "SHA256";
  const OSSL_PARAM hmac[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<uint8_t*>(key->hmac.data()),
                                        key->hmac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  const bool ready = EVP_MAC_CTX_set_params(mac, hmac) == 1 &&
                     EVP_CipherInit_ex2(cipher, ticket_cipher(), key->aes.data(), iv,
                                        encrypt ? 1 : 0, nullptr) == 1;
  if (!ready) return -1;
  return encrypt || key == keys_.begin() ? 1 : 2;
}

void make_own_ticket_key() { own_key(); }

}  // namespace gaiter::engine
