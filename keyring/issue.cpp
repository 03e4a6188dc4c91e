#include "keyring/issue.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "keyring/errors.h"
#include "keyring/verify.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

// Clocks of peers may lag.
constexpr std::chrono::seconds backdating = std::chrono::minutes(5);
constexpr std::chrono::days longest_life{36500};

std::unexpected<Error> refuse(const std::string& why) { return fail(Error::Kind::invalid, why); }

std::unexpected<Error> fail_openssl() {
  return fail(Error::Kind::system, "cannot make a certificate: " + take_openssl_reason());
}

Result<void> check_signer(const Identity& signer) {
  X509* certificate = signer.leaf.get();
  const std::string name = "\"" + signer.label + "\" cannot sign: it ";
  if (X509_check_ca(certificate) != 1 ||
      (X509_get_key_usage(certificate) & X509v3_KU_KEY_CERT_SIGN) == 0) {
    return refuse(name + "is not a CA certificate");
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    return refuse(name + "has expired");
  }
  return {};
}

// RFC 5280 4.2.1.9: a path length counts the CAs below. One that is itself at the end of a
// chain does not count for a verifier, but it could sign nothing.
Result<void> check_path_length(const Identity& signer) {
  long below = 1;
  const auto check = [&](const CertificatePtr& ca) -> Result<void> {
    const long length = X509_get_pathlen(ca.get());
    if (length < 0 || length >= below++) return {};
    return refuse("\"" + signer.label + "\" may sign no other CA: " + subject_text(ca.get()) +
                  "'s path length is " + std::to_string(length));
  };
  auto good = check(signer.leaf);
  for (const CertificatePtr& above : signer.chain) {
    if (good) good = check(above);
  }
  return good;
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

bool set_life(X509* certificate, std::chrono::seconds lifetime, const X509* signer) {
  const auto days = std::chrono::floor<std::chrono::days>(lifetime);
  const std::chrono::seconds rest = lifetime - days;
  if (X509_gmtime_adj(X509_getm_notBefore(certificate), -backdating.count()) == nullptr ||
      X509_time_adj_ex(X509_getm_notAfter(certificate), static_cast<int>(days.count()),
                       rest.count(), nullptr) == nullptr) {
    return false;
  }
  if (signer == nullptr ||
      ASN1_TIME_compare(X509_get0_notAfter(certificate), X509_get0_notAfter(signer)) <= 0) {
    return true;
  }
  return X509_set1_notAfter(certificate, X509_get0_notAfter(signer)) == 1;
}

bool add_identifier(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_extensions(X509* certificate, X509* issuer, const Extensions& extensions) {
  // RFC 5280 4.2.1.1: a self-signed certificate needs no authority key identifier;
  // an old CA may have no key identifier to point to.
  const bool points_up = issuer != certificate && X509_get0_subject_key_id(issuer) != nullptr;
  return std::ranges::all_of(extensions,
                             [&](const ExtensionPtr& extension) {
                               return X509_add_ext(certificate, extension.get(), -1) == 1;
                             }) &&
         add_identifier(certificate, issuer, NID_subject_key_identifier, "hash") &&
         (!points_up || add_identifier(certificate, issuer, NID_authority_key_identifier, "keyid"));
}

// What the CA may not say, a peer would refuse: ask as a peer. Its dates cannot be
// wrong, as nothing outlives its signer.
Result<void> check_signed(X509* certificate, const Identity& signer) {
  const auto verdict = verify_below(certificate, signer);
  if (verdict) return {};
  return refuse("\"" + signer.label + "\" may not sign this: " + verdict.error().message);
}

}  // namespace

Result<void> check_lifetime(std::chrono::days lifetime) {
  if (lifetime.count() >= 1 && lifetime <= longest_life) return {};
  return refuse("a certificate lives 1 to " + std::to_string(longest_life.count()) + " days, not " +
                std::to_string(lifetime.count()));
}

std::chrono::seconds lifetime_of(const X509* certificate) {
  int days = 0, seconds = 0;
  ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate),
                 X509_get0_notAfter(certificate));
  const auto lived = std::chrono::days(days) + std::chrono::seconds(seconds) - backdating;
  return std::clamp<std::chrono::seconds>(lived, std::chrono::days(1), longest_life);
}

Result<SubjectPtr> make_subject(const std::string& common_name) {
  if (common_name.empty() || common_name.size() > max_common_name ||
      std::ranges::any_of(common_name,
                          [](char c) { return static_cast<unsigned char>(c) < ' '; })) {
    return refuse("the common name must have 1 to 64 bytes and no control characters");
  }
  SubjectPtr subject(X509_NAME_new());
  if (subject == nullptr ||
      X509_NAME_add_entry_by_NID(subject.get(), NID_commonName, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) != 1) {
    take_openssl_reason();
    return refuse("the common name \"" + common_name + "\" is not well-formed UTF-8");
  }
  return subject;
}

Result<CertificatePtr> issue(const Statement& statement, EVP_PKEY* key, const Identity* signer) {
  if (signer != nullptr) {
    if (auto good = check_signer(*signer); !good) return pass_on(good);
  }
  CertificatePtr certificate(X509_new_ex(library_context(), nullptr));
  X509* const made = certificate.get();
  X509* const issuer = signer != nullptr ? signer->leaf.get() : made;
  EVP_PKEY* const signing_key = signer != nullptr ? signer->key.get() : key;
  if (made == nullptr || X509_set_version(made, X509_VERSION_3) != 1 || !set_serial(made) ||
      !set_life(made, statement.lifetime, signer != nullptr ? issuer : nullptr) ||
      X509_set_subject_name(made, statement.subject) != 1 ||
      X509_set_issuer_name(made, X509_get_subject_name(issuer)) != 1 ||
      X509_set_pubkey(made, key) != 1 || !add_extensions(made, issuer, statement.extensions) ||
      X509_sign(made, signing_key, digest_for(signing_key)) == 0) {
    return fail_openssl();
  }
  if (signer != nullptr) {
    if (X509_check_ca(made) == 1) {
      if (auto good = check_path_length(*signer); !good) return pass_on(good);
    }
    if (auto good = check_signed(made, *signer); !good) return pass_on(good);
  }
  return certificate;
}

Result<CertificatePtr> issue(const NewCertificate& request, EVP_PKEY* key, const Identity* signer) {
  if (auto good = check_lifetime(request.lifetime); !good) return pass_on(good);
  auto subject = make_subject(request.common_name);
  if (!subject) return pass_on(subject);
  auto names = general_names({.dns = request.dns_names,
                              .ip = request.ip_addresses,
                              .uris = request.uris,
                              .emails = request.emails});
  if (!names) return pass_on(names);
  auto extensions = request.is_ca ? ca_extensions(request.limits, names->get())
                                  : leaf_extensions(request.purpose, names->get(), key);
  if (!extensions) return pass_on(extensions);
  return issue({.subject = subject->get(), .extensions = *extensions, .lifetime = request.lifetime},
               key, signer);
}

}  // namespace gaiter::keyring
