#include "cli/certificate.h"

#include <openssl/x509v3.h>

#include "keyring/extensions.h"
#include "keyring/format.h"
#include "keyring/public_key.h"
#include "keyring/words.h"
#include "keyring/x509_text.h"

namespace gaiter::cli {
namespace {

std::string text_of(const X509_NAME* name) { return printable(keyring::name_text(name)); }

std::vector<std::string> texts_of(const keyring::NamesPtr& names) {
  std::vector<std::string> texts = keyring::alternative_name_texts(names.get());
  for (std::string& text : texts) text = printable(text);
  return texts;
}

std::string fingerprint_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate, &der);
  std::string text = length > 0 ? keyring::sha256_text({der, static_cast<size_t>(length)}) : "?";
  OPENSSL_free(der);
  return text;
}

}  // namespace

CertificateFacts facts_of(X509* certificate) {
  CertificateFacts facts;
  facts.subject = text_of(X509_get_subject_name(certificate));
  facts.issuer = text_of(X509_get_issuer_name(certificate));
  facts.names = texts_of(keyring::alternative_names(certificate));
  facts.key_type = keyring::public_key_kind(X509_get_X509_PUBKEY(certificate)).text;
  facts.serial = keyring::serial_text(X509_get0_serialNumber(certificate));
  facts.fingerprint = fingerprint_of(certificate);
  facts.key_fingerprint = keyring::key_fingerprint(X509_get_X509_PUBKEY(certificate));
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

std::string remark_on_site(const keyring::Entry& entry) {
  if (entry.usage != keyring::Usage::site || X509_check_ca(entry.leaf.get()) == 0) return "";
  return "says that it is a CA (CA:TRUE), but as a site it is trusted for itself alone: what it "
         "signed is refused; a CA is imported with --usage ca";
}

RequestFacts facts_of(X509_REQ* request) {
  if (request == nullptr) return {};
  return {.subject = text_of(X509_REQ_get_subject_name(request)),
          .names = texts_of(keyring::alternative_names(request)),
          .key_type = keyring::public_key_kind(X509_REQ_get_X509_PUBKEY(request)).text};
}

Object to_object(const keyring::Entry& entry) {
  const CertificateFacts facts = facts_of(entry.leaf.get());
  std::vector<std::string> chain;
  for (const CertificatePtr& link : entry.chain) {
    chain.push_back(text_of(X509_get_subject_name(link.get())));
  }
  return {
      {"label", entry.label},
      {"usage", std::string(keyring::word(entry.usage))},
      {"pending", false},
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

Object to_object(const keyring::Requested& requested) {
  const RequestFacts facts = facts_of(requested.request.get());
  return {
      {"label", requested.label},
      {"usage", std::string(keyring::word(requested.usage))},
      {"pending", true},
      {"default", false},
      {"private_key", true},
      {"origin", printable(requested.origin)},
      {"subject", facts.subject},
      {"names", facts.names},
      {"key_type", facts.key_type},
  };
}

}  // namespace gaiter::cli
