#include "keyring/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "keyring/errors.h"

namespace gaiter::keyring {
namespace {

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, OpenSslDeleter<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, OpenSslDeleter<OCSP_BASICRESP_free>>;

std::unexpected<Error> refuse(const char* why) {
  ERR_clear_error();
  return fail(Error::Kind::invalid, why);
}

bool concerns(OCSP_SINGLERESP* single, const X509* leaf) {
  ASN1_INTEGER* serial = nullptr;
  // Only read, but OpenSSL's signature is not const.
  auto* const id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
  return OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, id) == 1 &&
         ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0;
}

}  // namespace

Result<void> check_ocsp_response(std::string_view der, const X509* leaf) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (response == nullptr) return refuse("holds no OCSP response");
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return refuse("holds an OCSP responder's error, not a response");
  }
  const BasicPtr basic(OCSP_response_get1_basic(response.get()));
  if (basic == nullptr) return refuse("holds an OCSP response of an unknown type");
  for (int i = 0; i < OCSP_resp_count(basic.get()); ++i) {
    OCSP_SINGLERESP* const single = OCSP_resp_get0(basic.get(), i);
    if (!concerns(single, leaf)) continue;
    ASN1_GENERALIZEDTIME* next_update = nullptr;
    OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next_update);
    if (next_update != nullptr && X509_cmp_current_time(next_update) < 0) {
      return refuse("holds an OCSP response that has run out (nextUpdate)");
    }
    return {};
  }
  return refuse("holds an OCSP response about another certificate");
}

}  // namespace gaiter::keyring
