#include "keyring/key_type.h"

#include <openssl/ec.h>
#include <openssl/objects.h>

#include <array>

#include "keyring/errors.h"

namespace gaiter::keyring {
namespace {

struct Known {
  KeyType type;
  const char* word;
  const char* algorithm;
  const char* group;  // of an elliptic curve
  size_t bits;        // of RSA
};

constexpr std::array known_types{
    Known{KeyType::ec_p256, "ec-p256", "EC", "P-256", 0},
    Known{KeyType::ec_p384, "ec-p384", "EC", "P-384", 0},
    Known{KeyType::rsa_2048, "rsa-2048", "RSA", nullptr, 2048},
    Known{KeyType::rsa_3072, "rsa-3072", "RSA", nullptr, 3072},
    Known{KeyType::rsa_4096, "rsa-4096", "RSA", nullptr, 4096},
    Known{KeyType::ed25519, "ed25519", "ED25519", nullptr, 0},
};

constexpr int min_rsa_bits = 2048;  // NIST SP 800-131A

}  // namespace

std::optional<KeyType> key_type(std::string_view word) {
  for (const Known& known : known_types) {
    if (word == known.word) return known.type;
  }
  return std::nullopt;
}

const std::vector<std::string>& key_type_words() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all;
    for (const Known& known : known_types) all.emplace_back(known.word);
    return all;
  }();
  return words;
}

KeyType key_type_of(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return bits > 3072 ? KeyType::rsa_4096 : bits > 2048 ? KeyType::rsa_3072 : KeyType::rsa_2048;
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
      return KeyType::ed25519;
    default:
      return bits > 256 ? KeyType::ec_p384 : KeyType::ec_p256;
  }
}

Result<KeyPtr> make_key(KeyType type) {
  const Known& known = known_types[static_cast<size_t>(type)];
  OSSL_LIB_CTX* const library = library_context();
  KeyPtr key(known.bits != 0 ? EVP_PKEY_Q_keygen(library, nullptr, known.algorithm, known.bits)
             : known.group != nullptr
                 ? EVP_PKEY_Q_keygen(library, nullptr, known.algorithm, known.group)
                 : EVP_PKEY_Q_keygen(library, nullptr, known.algorithm));
  if (key == nullptr) {
    return fail(Error::Kind::system, "cannot make a key: " + take_openssl_reason());
  }
  return key;
}

Result<void> check_strength(const EVP_PKEY* key, const std::string& whose) {
  const auto refuse = [&](const std::string& why) {
    return fail(Error::Kind::invalid, whose + " has " + why +
                                          "; RSA from 2048 bits, EC P-256, P-384, P-521 and "
                                          "Ed25519 are good");
  };
  switch (key != nullptr ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      if (EVP_PKEY_get_bits(key) >= min_rsa_bits) return {};
      return refuse("a weak RSA key of " + std::to_string(EVP_PKEY_get_bits(key)) + " bits");
    case EVP_PKEY_EC: {
      char group[64] = "";
      EVP_PKEY_get_group_name(key, group, sizeof group, nullptr);
      const int nid = OBJ_sn2nid(group);
      if (nid == NID_X9_62_prime256v1 || nid == NID_secp384r1 || nid == NID_secp521r1) return {};
      return refuse(std::string("a key on the curve ") + (group[0] != '\0' ? group : "?"));
    }
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
      return {};
    default:
      take_openssl_reason();
      return refuse("a key of an unknown kind");
  }
}

const EVP_MD* digest_for(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
      return nullptr;
    case EVP_PKEY_EC: {
      const int bits = EVP_PKEY_get_bits(key);
      return bits > 384 ? EVP_sha512() : bits > 256 ? EVP_sha384() : EVP_sha256();
    }
    default:
      return EVP_sha256();
  }
}

}  // namespace gaiter::keyring
