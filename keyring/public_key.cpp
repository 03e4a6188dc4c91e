#include "keyring/public_key.h"

#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include "keyring/openssl.h"
#include "keyring/words.h"

namespace gaiter::keyring {
namespace {

void free_sequence(ASN1_SEQUENCE_ANY* sequence) { sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free); }
using SequencePtr = std::unique_ptr<ASN1_SEQUENCE_ANY, OpenSslDeleter<free_sequence>>;

// RSAPublicKey (RFC 8017 A.1.1): the modulus comes first. 0 if it is malformed.
int modulus_bits(const unsigned char* bytes, int length) {
  const SequencePtr sequence(d2i_ASN1_SEQUENCE_ANY(nullptr, &bytes, length));
  const ASN1_TYPE* const first =
      sk_ASN1_TYPE_num(sequence.get()) > 0 ? sk_ASN1_TYPE_value(sequence.get(), 0) : nullptr;
  if (first == nullptr || first->type != V_ASN1_INTEGER) return 0;
  const unsigned char* const digits = ASN1_STRING_get0_data(first->value.integer);
  const int count = ASN1_STRING_length(first->value.integer);
  if (count == 0 || digits[0] == 0) return 0;
  return 8 * (count - 1) + BN_num_bits_word(digits[0]);
}

// A point (SEC 1 2.3.3) is one coordinate, compressed, or two, after a byte that says which.
int coordinate_bits(const unsigned char* point, int length) {
  if (length < 2) return 0;
  const bool compressed = point[0] == POINT_CONVERSION_COMPRESSED || point[0] == 3;
  return 8 * (compressed ? length - 1 : (length - 1) / 2);
}

std::string curve_name(const X509_ALGOR* algorithm) {
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_OBJECT) return "of explicit parameters";
  const int nid = OBJ_obj2nid(static_cast<const ASN1_OBJECT*>(value));
  const char* const nist = EC_curve_nid2nist(nid);
  return nist != nullptr ? nist : nid != NID_undef ? OBJ_nid2sn(nid) : "of an unknown curve";
}

std::string digest_and_free(unsigned char*& der, int length) {
  std::string text = length > 0 ? sha256_text({der, static_cast<size_t>(length)}) : "?";
  OPENSSL_free(der);
  take_openssl_reason();
  return text;
}

}  // namespace

PublicKeyKind public_key_kind(const X509_PUBKEY* key) {
  ASN1_OBJECT* object = nullptr;
  const unsigned char* bytes = nullptr;
  int length = 0;
  X509_ALGOR* algorithm = nullptr;
  PublicKeyKind kind;
  kind.text = "unknown";
  if (X509_PUBKEY_get0_param(&object, &bytes, &length, &algorithm, key) != 1) return kind;
  kind.algorithm = OBJ_obj2nid(object);
  switch (kind.algorithm) {
    case EVP_PKEY_EC:
      kind.bits = coordinate_bits(bytes, length);
      kind.text = "EC " + curve_name(algorithm);
      break;
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      kind.bits = modulus_bits(bytes, length);
      kind.text = (kind.algorithm == EVP_PKEY_RSA ? "RSA " : "RSA-PSS ") +
                  (kind.bits != 0 ? std::to_string(kind.bits) : "malformed");
      break;
    case EVP_PKEY_ED25519:
      kind.text = "Ed25519";
      break;
    case EVP_PKEY_ED448:
      kind.text = "Ed448";
      break;
    default:
      if (kind.algorithm != NID_undef) kind.text = OBJ_nid2sn(kind.algorithm);
  }
  take_openssl_reason();
  return kind;
}

std::string key_fingerprint(const X509_PUBKEY* key) {
  unsigned char* der = nullptr;
  return digest_and_free(der, i2d_X509_PUBKEY(key, &der));
}

std::string key_fingerprint(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  return digest_and_free(der, i2d_PUBKEY(const_cast<EVP_PKEY*>(key), &der));
}

}  // namespace gaiter::keyring
