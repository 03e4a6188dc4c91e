#include "keyring/certificate_check.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "keyring/errors.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;

bool is_odd(unsigned char c) { return c < 0x20 || c == 0x7f; }

// In a DNS name, a URI or an address of mail there is only ASCII (RFC 5280 4.2.1.6).
bool is_plain_ascii(const ASN1_STRING* text) {
  const unsigned char* const bytes = ASN1_STRING_get0_data(text);
  return std::none_of(bytes, bytes + ASN1_STRING_length(text),
                      [](unsigned char c) { return is_odd(c) || c > 0x7f; });
}

bool is_text(int type) {
  return type == V_ASN1_UTF8STRING || type == V_ASN1_BMPSTRING || type == V_ASN1_UNIVERSALSTRING;
}

// Whether every part can be read as text without NUL. Other control characters are odd,
// and harmless where names are printed with care.
bool is_good_name(const X509_NAME* name) {
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const ASN1_STRING* const value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
    unsigned char* text = nullptr;
    const int length = ASN1_STRING_to_UTF8(&text, value);
    const bool good = length < 0 ? !is_text(ASN1_STRING_type(value))
                                 : std::find(text, text + length, '\0') == text + length;
    OPENSSL_free(text);
    if (!good) return false;
  }
  return true;
}

bool are_good_names(const GENERAL_NAMES* names) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    const bool text = name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL;
    if (text && !is_plain_ascii(name->d.ia5)) return false;
    if (name->type == GEN_IPADD) {
      const int length = ASN1_STRING_length(name->d.ip);
      if (length != 4 && length != 16) return false;
    }
  }
  return true;
}

// Why the certificate is none, or null.
const char* fault_of(X509* certificate) {
  if (i2d_X509(certificate, nullptr) > max_certificate_size) return "is longer than 64 KiB";
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(certificate);
  if ((ASN1_STRING_type(serial) & V_ASN1_NEG) != 0) return "has a negative serial number";
  struct tm first = {}, last = {};
  if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &first) != 1 ||
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &last) != 1) {
    return "has a malformed date";
  }
  if (ASN1_TIME_compare(X509_get0_notBefore(certificate), X509_get0_notAfter(certificate)) > 0) {
    return "ends before it begins";
  }
  if (X509_get0_pubkey(certificate) == nullptr) {
    return "has a public key that is malformed or of an unknown kind";
  }
  if ((X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0) {
    return "has a malformed extension";
  }
  int found = -1;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, nullptr)));
  if (names == nullptr && found != -1) return "has a malformed subjectAltName, or several";
  if (!is_good_name(X509_get_subject_name(certificate)) ||
      !is_good_name(X509_get_issuer_name(certificate)) || !are_good_names(names.get())) {
    return "has a malformed name, or one with NUL or control characters";
  }
  return nullptr;
}

}  // namespace

Result<void> check_certificate(X509* certificate, const std::string& name) {
  const char* const fault = fault_of(certificate);
  ERR_clear_error();
  if (fault == nullptr) return {};
  return fail(Error::Kind::invalid, name + ": the certificate of " +
                                        subject_text(certificate).substr(0, 200) + " " + fault);
}

}  // namespace gaiter::keyring
