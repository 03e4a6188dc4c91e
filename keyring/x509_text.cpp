#include "keyring/x509_text.h"

#include <ctime>

#include "keyring/openssl.h"

namespace gaiter::keyring {

std::string name_text(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  const unsigned long flags = XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  if (out == nullptr || X509_NAME_print_ex(out.get(), name, 0, flags) < 0) return "?";
  char* text = nullptr;
  const long length = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(length)};
}

std::string subject_text(const X509* certificate) {
  return name_text(X509_get_subject_name(certificate));
}

std::string time_text(const ASN1_TIME* time) {
  struct tm fields = {};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return "malformed";
  char text[32] = "";
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &fields);
  return text;
}

}  // namespace gaiter::keyring
