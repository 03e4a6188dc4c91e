// Fuzzes what `gaiter keyring import` reads: PEM, DER, PKCS#7, PKCS#12, encrypted or
// not. Nothing is written: the bytes are parsed and judged, and whatever is good enough
// is printed once more and must be read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "keyring/certificate_check.h"
#include "keyring/chain.h"
#include "keyring/files.h"
#include "keyring/pem.h"
#include "keyring/pkcs12.h"

namespace {

using namespace gaiter;
using namespace gaiter::keyring;

Result<Content> passphrase(const std::string&) {
  constexpr std::string_view word = "secret";
  return Content(std::vector<char>(word.begin(), word.end()));
}

void require(bool condition) {
  if (!condition) __builtin_trap();
}

void use(std::vector<CertificatePtr> certificates, const EVP_PKEY* key) {
  std::vector<const X509*> good;
  for (const CertificatePtr& certificate : certificates) {
    if (check_certificate(certificate.get(), "input")) good.push_back(certificate.get());
  }
  if (!good.empty()) {
    const auto pem = certificates_to_pem(good);
    require(pem.has_value());
    const auto again = parse_bundle(*pem, "again");
    require(pem->size() > max_file_size || (again && again->certificates.size() == good.size()));
  }
  if (certificates.empty()) return;
  if (bring_leaf_forward(certificates, key)) sort_chain(certificates);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (is_pkcs12(bytes)) {
    auto items = parse_pkcs12(bytes, "input", passphrase);
    if (items) {
      for (Pkcs12Item& item : *items) use(std::move(item.certificates), item.key.get());
    }
  } else if (auto bundle = parse_bundle(bytes, "input", passphrase)) {
    use(std::move(bundle->certificates), bundle->key.get());
  }
  static_cast<void>(parse_crls(bytes, "input"));
  return 0;
}
