// Private keys under a passphrase (PKCS#8 EncryptedPrivateKeyInfo, RFC 5958 3).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "keyring/keyring.h"

namespace gaiter::keyring {

inline constexpr std::string_view encrypted_key_mark = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

// PEM, by PBKDF2 with HMAC-SHA-256 and AES-256-CBC. Takes a good part of a second, as it
// shall for whoever guesses.
Result<BioPtr> key_to_encrypted_pem(const EVP_PKEY* key, std::string_view passphrase);

// The encrypted key in `pem`. Kind::invalid if there is none, or the passphrase is wrong.
Result<KeyPtr> key_from_encrypted_pem(std::string_view pem, std::string_view passphrase,
                                      const std::string& name);

// An encrypted key as it came: EncryptedPrivateKeyInfo, or the older way of OpenSSL, in
// which a PEM block's header says how it is encrypted (RFC 1421).
struct EncryptedKey {
  std::span<const unsigned char> der;
  std::string_view header = {};
};

// Kind::invalid, with words about `name`, if the passphrase is wrong or the key malformed.
Result<KeyPtr> decrypt_key(const EncryptedKey& encrypted, std::string_view passphrase,
                           const std::string& name);

// Fails with Kind::invalid if deriving the key by `algorithm` (RFC 8018) takes more
// iterations than anybody needs: a file from elsewhere must not keep us busy for hours.
Result<void> check_iterations(const X509_ALGOR* algorithm, const std::string& name);
inline constexpr long max_iterations = 2'000'000;

}  // namespace gaiter::keyring
