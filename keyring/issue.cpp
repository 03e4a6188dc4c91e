#include "keyring/issue.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "keyring/errors.h"

namespace gaiter::keyring {
namespace {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpenSslDeleter<X509_EXTENSION_free>>;

// Clocks of peers may lag.
constexpr long backdating_seconds = 5 * 60;
constexpr std::chrono::days longest_life{36500};

std::unexpected<Error> refuse(const std::string& why) { return fail(Error::Kind::invalid, why); }

std::unexpected<Error> fail_openssl() {
  return fail(Error::Kind::system, "cannot make a certificate: " + take_openssl_reason());
}

Result<void> check_signer(const Identity& signer, bool for_ca) {
  X509* certificate = signer.leaf.get();
  const std::string name = "\"" + signer.label + "\" cannot sign: it ";
  if (X509_check_ca(certificate) != 1 ||
      (X509_get_key_usage(certificate) & X509v3_KU_KEY_CERT_SIGN) == 0) {
    return refuse(name + "is not a CA certificate");
  }
  if (for_ca && X509_get_pathlen(certificate) == 0) {
    return refuse(name + "may sign no other CA (its path length is 0)");
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    return refuse(name + "has expired");
  }
  return {};
}

Result<void> check_request(const NewCertificate& request) {
  const std::string& name = request.common_name;
  if (name.empty() || name.size() > max_common_name ||
      std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < ' '; })) {
    return refuse("the common name must have 1 to 64 bytes and no control characters");
  }
  if (request.lifetime.count() < 1 || request.lifetime > longest_life) {
    return refuse("a certificate lives 1 to " + std::to_string(longest_life.count()) +
                  " days, not " + std::to_string(request.lifetime.count()));
  }
  return {};
}

// RFC 5280 4.1.2.2: positive, at most 20 octets; unique by chance.
bool set_serial(X509* certificate) {
  std::array<unsigned char, 20> bytes;
  if (RAND_bytes_ex(library_context(), bytes.data(), bytes.size(), 0) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3f) | 0x40);
  BIGNUM* number = BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr);
  const bool set = number != nullptr &&
                   BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return set;
}

bool set_life(X509* certificate, std::chrono::days lifetime, const X509* signer) {
  if (X509_gmtime_adj(X509_getm_notBefore(certificate), -backdating_seconds) == nullptr ||
      X509_time_adj_ex(X509_getm_notAfter(certificate), static_cast<int>(lifetime.count()), 0,
                       nullptr) == nullptr) {
    return false;
  }
  if (signer == nullptr ||
      ASN1_TIME_compare(X509_get0_notAfter(certificate), X509_get0_notAfter(signer)) <= 0) {
    return true;
  }
  return X509_set1_notAfter(certificate, X509_get0_notAfter(signer)) == 1;
}

bool set_subject(X509* certificate, const std::string& common_name) {
  return X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                    MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

// `value` in OpenSSL's extension syntax: only ever one of our own constants.
bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name(GENERAL_NAMES* names, int type, ASN1_STRING* value) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (name == nullptr) {
    ASN1_STRING_free(value);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, value);
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

ASN1_STRING* make_string(int type, const void* data, size_t length) {
  ASN1_STRING* string = ASN1_STRING_type_new(type);
  if (string != nullptr && ASN1_STRING_set(string, data, static_cast<int>(length)) == 1) {
    return string;
  }
  ASN1_STRING_free(string);
  return nullptr;
}

// 4 or 16 bytes in network order; empty if `text` is no address.
std::vector<unsigned char> address_bytes(const std::string& text) {
  std::vector<unsigned char> bytes(16);
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  bytes.resize(4);
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return bytes;
  return {};
}

Result<void> add_alternative_names(X509* certificate, const NewCertificate& request) {
  if (request.dns_names.empty() && request.ip_addresses.empty()) return {};
  const NamesPtr names(sk_GENERAL_NAME_new_null());
  if (names == nullptr) return fail_openssl();
  const auto add = [&](int name_type, int string_type, const void* data, size_t length) {
    ASN1_STRING* value = make_string(string_type, data, length);
    return value != nullptr && add_name(names.get(), name_type, value);
  };
  for (const std::string& name : request.dns_names) {
    if (!is_dns_name(name)) return refuse("\"" + name + "\" is no DNS name");
    if (!add(GEN_DNS, V_ASN1_IA5STRING, name.data(), name.size())) return fail_openssl();
  }
  for (const std::string& text : request.ip_addresses) {
    const auto bytes = address_bytes(text);
    if (bytes.empty()) return refuse("\"" + text + "\" is no IP address");
    if (!add(GEN_IPADD, V_ASN1_OCTET_STRING, bytes.data(), bytes.size())) return fail_openssl();
  }
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) != 1) {
    return fail_openssl();
  }
  return {};
}

bool add_purpose(X509* certificate, X509* issuer, bool is_ca) {
  const auto add = [&](int nid, const char* value) {
    return add_extension(certificate, issuer, nid, value);
  };
  // RFC 5280 4.2.1.1: a self-signed certificate needs no authority key identifier;
  // an old CA may have no key identifier to point to.
  const bool points_up = issuer != certificate && X509_get0_subject_key_id(issuer) != nullptr;
  return add(NID_basic_constraints, is_ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
         add(NID_key_usage, is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
         (is_ca || add(NID_ext_key_usage, "serverAuth,clientAuth")) &&
         add(NID_subject_key_identifier, "hash") &&
         (!points_up || add(NID_authority_key_identifier, "keyid"));
}

}  // namespace

bool is_dns_name(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > 253) return false;
  size_t label = 0;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (c == '.' ? label == 0 : !plain || label == 63) return false;
    label = c == '.' ? 0 : label + 1;
  }
  return label != 0;
}

Result<KeyPtr> make_key() {
  KeyPtr key(EVP_PKEY_Q_keygen(library_context(), nullptr, "EC", "P-256"));
  if (key == nullptr) {
    return fail(Error::Kind::system, "cannot make a key: " + take_openssl_reason());
  }
  return key;
}

Result<CertificatePtr> issue(const NewCertificate& request, EVP_PKEY* key, const Identity* signer) {
  if (auto good = check_request(request); !good) return pass_on(good);
  if (signer != nullptr) {
    if (auto good = check_signer(*signer, request.is_ca); !good) return pass_on(good);
  }
  CertificatePtr certificate(X509_new_ex(library_context(), nullptr));
  X509* const made = certificate.get();
  X509* const issuer = signer != nullptr ? signer->leaf.get() : made;
  if (made == nullptr || X509_set_version(made, X509_VERSION_3) != 1 || !set_serial(made) ||
      !set_life(made, request.lifetime, signer != nullptr ? issuer : nullptr) ||
      !set_subject(made, request.common_name) ||
      X509_set_issuer_name(made, X509_get_subject_name(issuer)) != 1 ||
      X509_set_pubkey(made, key) != 1 || !add_purpose(made, issuer, request.is_ca)) {
    return fail_openssl();
  }
  if (auto added = add_alternative_names(made, request); !added) return pass_on(added);
  if (X509_sign(made, signer != nullptr ? signer->key.get() : key, EVP_sha256()) == 0) {
    return fail_openssl();
  }
  return certificate;
}

}  // namespace gaiter::keyring
