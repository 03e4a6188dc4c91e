// Fuzzes what `gaiter keyring ca sign` reads: certificate signing requests (PKCS#10) in
// PEM and DER. Whatever is good enough is signed by a CA, and the certificate must have the
// names and the key that were asked for.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "keyring/issue.h"
#include "keyring/pem.h"
#include "keyring/request.h"

namespace {

using namespace gaiter;
using namespace gaiter::keyring;

void require(bool condition) {
  if (!condition) __builtin_trap();
}

Identity make_ca() {
  const NewCertificate wanted{
      .label = "ca", .common_name = "ca", .dns_names = {}, .ip_addresses = {}, .is_ca = true};
  auto key = make_key();
  require(key.has_value());
  auto certificate = issue(wanted, key->get(), nullptr);
  require(certificate.has_value());
  return {.label = "ca", .leaf = *std::move(certificate), .chain = {}, .key = *std::move(key)};
}

void check_signed(X509_REQ* request, const X509* certificate) {
  require(X509_check_private_key(certificate, X509_REQ_get0_pubkey(request)) == 1);
  const auto asked = alternative_name_texts(alternative_names(request).get());
  require(asked.empty() || asked == alternative_name_texts(alternative_names(certificate).get()));
  const auto pem = certificates_to_pem({certificate});
  require(pem.has_value() && parse_bundle(*pem, "signed").has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Identity ca = make_ca();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto request = parse_request(bytes, "input");
  if (!request) return 0;
  require(to_pem(request->get()).has_value());
  if (const auto made = sign_request(request->get(), ca, std::chrono::days(1), std::nullopt)) {
    check_signed(request->get(), made->get());
  }
  return 0;
}
