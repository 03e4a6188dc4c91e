// Kinds of private keys that Gaiter makes, and what a key signs with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

enum class KeyType { ec_p256, ec_p384, rsa_2048, rsa_3072, rsa_4096, ed25519 };

// "ec-p256", "rsa-2048", "ed25519", ...
std::optional<KeyType> key_type(std::string_view word);
const std::vector<std::string>& key_type_words();

// The nearest type that Gaiter makes: of a key of the same kind.
KeyType key_type_of(const EVP_PKEY* key);

// A new key. An RSA key of 4096 bits may take seconds.
Result<KeyPtr> make_key(KeyType type = KeyType::ec_p256);

// Kind::invalid if peers would refuse the public key: RSA below 2048 bits, an
// unknown curve, DSA. `whose` begins the message.
Result<void> check_strength(const EVP_PKEY* key, const std::string& whose);

// What the key signs with: SHA-256, or what fits its size; null for Ed25519 and
// Ed448, which have their own.
const EVP_MD* digest_for(const EVP_PKEY* key);

}  // namespace gaiter::keyring
