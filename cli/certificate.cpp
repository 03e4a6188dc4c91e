#include "cli/certificate.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "keyring/format.h"
#include "keyring/openssl.h"
#include "keyring/x509_text.h"

namespace gaiter::cli {
namespace {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, OpenSslDeleter<BN_free>>;

std::string text_of(const X509_NAME* name) { return printable(keyring::name_text(name)); }

std::string text_of(const ASN1_STRING* string) {
  return printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                    static_cast<size_t>(ASN1_STRING_length(string))});
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int length = ASN1_STRING_length(address);
  if (length == 4 || length == 16)
    inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
  return text[0] != '\0' ? text : "malformed";
}

std::vector<std::string> names_of(X509* certificate) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> texts;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); i++) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    switch (name->type) {
      case GEN_DNS:
        texts.push_back("dns:" + text_of(name->d.dNSName));
        break;
      case GEN_IPADD:
        texts.push_back("ip:" + address_text(name->d.iPAddress));
        break;
      case GEN_URI:
        texts.push_back("uri:" + text_of(name->d.uniformResourceIdentifier));
        break;
      case GEN_EMAIL:
        texts.push_back("email:" + text_of(name->d.rfc822Name));
        break;
      default:
        texts.emplace_back("other");
        break;
    }
  }
  return texts;
}

std::string key_type_of(X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return "unknown";
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC: {
      char group[64] = "";
      EVP_PKEY_get_group_name(key, group, sizeof group, nullptr);
      const char* nist = EC_curve_nid2nist(OBJ_sn2nid(group));
      return fmt::format("EC {}", nist != nullptr ? nist : group);
    }
    case EVP_PKEY_RSA:
      return fmt::format("RSA {}", EVP_PKEY_get_bits(key));
    case EVP_PKEY_ED25519:
      return "Ed25519";
    case EVP_PKEY_ED448:
      return "Ed448";
    default: {
      const char* name = EVP_PKEY_get0_type_name(key);
      return name != nullptr ? name : "unknown";
    }
  }
}

std::string hexadecimal(const unsigned char* bytes, size_t length) {
  std::string text;
  for (size_t i = 0; i < length; i++) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

}  // namespace

CertificateFacts facts_of(X509* certificate) {
  CertificateFacts facts;
  facts.subject = text_of(X509_get_subject_name(certificate));
  facts.issuer = text_of(X509_get_issuer_name(certificate));
  facts.names = names_of(certificate);
  facts.key_type = key_type_of(certificate);

  const BignumPtr serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (serial != nullptr) {
    char* const text = BN_bn2hex(serial.get());
    facts.serial = text;
    OPENSSL_free(text);
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_length = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &digest_length) == 1)
    facts.fingerprint = hexadecimal(digest, digest_length);
  unsigned char* public_key = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &public_key);
  if (length > 0 && EVP_Digest(public_key, static_cast<size_t>(length), digest, &digest_length,
                               EVP_sha256(), nullptr) == 1) {
    facts.key_fingerprint = hexadecimal(digest, digest_length);
  }
  OPENSSL_free(public_key);

  facts.not_before = keyring::time_text(X509_get0_notBefore(certificate));
  facts.not_after = keyring::time_text(X509_get0_notAfter(certificate));
  int days = 0;
  int seconds = 0;
  ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate));
  facts.days_left = days;
  facts.expired = days < 0 || seconds < 0;
  ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate),
                 X509_get0_notAfter(certificate));
  facts.lifetime_days = days;
  facts.is_ca = X509_check_ca(certificate) == 1;
  return facts;
}

Object to_object(const keyring::Entry& entry) {
  const CertificateFacts facts = facts_of(entry.leaf.get());
  std::vector<std::string> chain;
  for (const CertificatePtr& link : entry.chain) chain.push_back(facts_of(link.get()).subject);
  return {
      {"label", entry.label},
      {"usage", std::string(keyring::word(entry.usage))},
      {"default", entry.is_default},
      {"trusted", entry.trusted},
      {"private_key", entry.has_key},
      {"origin", printable(entry.origin)},
      {"connected", printable(entry.connected)},
      {"subject", facts.subject},
      {"issuer", facts.issuer},
      {"names", facts.names},
      {"key_type", facts.key_type},
      {"serial", facts.serial},
      {"sha256", facts.fingerprint},
      {"not_before", facts.not_before},
      {"not_after", facts.not_after},
      {"days_left", facts.days_left},
      {"expired", facts.expired},
      {"ca", facts.is_ca},
      {"chain", chain},
  };
}

}  // namespace gaiter::cli
