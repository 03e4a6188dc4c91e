#include "engine/stapling.h"

#include <openssl/ocsp.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "engine/diagnosis.h"
#include "engine/moment.h"
#include "engine/peer_name.h"

namespace gaiter::engine {
namespace {

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, OpenSslDeleter<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, OpenSslDeleter<OCSP_BASICRESP_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, OpenSslDeleter<OCSP_CERTID_free>>;

constexpr long clock_skew = 300;  // seconds that two machines' clocks may be apart

BasicPtr parse(std::span<const uint8_t> der) {
  const uint8_t* at = der.data();
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (response == nullptr ||
      OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return nullptr;
  return BasicPtr(OCSP_response_get1_basic(response.get()));
}

// What one response says of one certificate.
struct Statement {
  int status = -1;
  const ASN1_GENERALIZEDTIME* from = nullptr;
  const ASN1_GENERALIZEDTIME* until = nullptr;  // null = for ever, which nobody should say
};

Statement read(OCSP_SINGLERESP* single) {
  Statement statement;
  ASN1_GENERALIZEDTIME *from = nullptr, *until = nullptr;
  statement.status = OCSP_single_get0_status(single, nullptr, nullptr, &from, &until);
  statement.from = from;
  statement.until = until;
  return statement;
}

// Whether `single` speaks of this certificate, by the hash that it chose itself.
bool concerns(const OCSP_SINGLERESP* single, const X509* leaf, const X509* issuer) {
  const OCSP_CERTID* const theirs = OCSP_SINGLERESP_get0_id(single);
  ASN1_OBJECT* hash = nullptr;
  OCSP_id_get0_info(nullptr, &hash, nullptr, nullptr, const_cast<OCSP_CERTID*>(theirs));
  const EVP_MD* const digest = EVP_get_digestbyobj(hash);
  if (digest == nullptr) return false;
  const IdPtr wanted(OCSP_cert_to_id(digest, leaf, issuer));
  return wanted != nullptr && OCSP_id_cmp(wanted.get(), theirs) == 0;
}

std::optional<Statement> find(OCSP_BASICRESP* basic, const X509* leaf, const X509* issuer) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* const single = OCSP_resp_get0(basic, i);
    if (concerns(single, leaf, issuer)) return read(single);
  }
  return std::nullopt;
}

// When the certificate ends that the response was verified with.
std::time_t end_of_signer(OCSP_BASICRESP* basic) {
  X509* signer = nullptr;
  if (OCSP_resp_get0_signer(basic, &signer, nullptr) != 1) {
    take_openssl_reason();
    return std::numeric_limits<std::time_t>::max();  // it is in the peer's chain
  }
  return moment(X509_get0_notAfter(signer)).value_or(0);
}

std::unexpected<Failure> refuse(const X509* leaf, const std::string& why) {
  return std::unexpected(
      Failure{Cause::not_allowed,
              "the server's certificate \"" + describe_peer(leaf) + "\" was refused: " + why +
                  " (must_staple)",
              "have the server staple a current OCSP response, or take must_staple out of the "
              "policy"});
}

}  // namespace

void Staples::add(const keyring::Identity& identity) {
  if (identity.ocsp_response.empty()) return;
  const BasicPtr basic = parse(identity.ocsp_response);
  if (basic == nullptr || OCSP_resp_count(basic.get()) == 0) return;
  const auto until = moment(read(OCSP_resp_get0(basic.get(), 0)).until);
  if (until) staples_.push_back({identity.leaf.get(), identity.ocsp_response, *until});
}

int Staples::attach(SSL* ssl) const {
  const X509* const shown = SSL_get_certificate(ssl);
  for (const Staple& staple : staples_) {
    if (staple.leaf != shown) continue;
    if (std::time(nullptr) >= staple.until) break;
    void* const copy = OPENSSL_memdup(staple.response.data(), staple.response.size());
    if (copy == nullptr) break;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<int>(staple.response.size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

std::expected<std::time_t, Failure> check_staple(SSL* ssl, X509_STORE* trust) {
  STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
  const X509* const leaf = SSL_get0_peer_certificate(ssl);
  const uint8_t* response = nullptr;
  const long length = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
  if (response == nullptr || length <= 0) return refuse(leaf, "it came without an OCSP response");
  if (sk_X509_num(chain) < 2)
    return refuse(leaf, "it is trusted as it is, so there is no issuer to vouch for it");

  const BasicPtr basic = parse({response, static_cast<size_t>(length)});
  if (basic == nullptr) return refuse(leaf, "its OCSP response is malformed, or an error");
  if (OCSP_basic_verify(basic.get(), chain, trust, 0) != 1) {
    const std::string why = take_openssl_reason();
    return refuse(leaf, "its OCSP response is not signed by its issuer: " + why);
  }
  const auto statement = find(basic.get(), leaf, sk_X509_value(chain, 1));
  if (!statement) return refuse(leaf, "its OCSP response speaks of another certificate");
  const auto until = moment(statement->until);
  if (!until || OCSP_check_validity(const_cast<ASN1_GENERALIZEDTIME*>(statement->from),
                                    const_cast<ASN1_GENERALIZEDTIME*>(statement->until), clock_skew,
                                    -1) != 1) {
    take_openssl_reason();
    return refuse(leaf, "its OCSP response has run out, or is not valid yet");
  }
  if (statement->status == V_OCSP_CERTSTATUS_REVOKED)
    return std::unexpected(
        diagnose_certificate(X509_V_ERR_CERT_REVOKED, 0, leaf, Role::client, ""));
  if (statement->status != V_OCSP_CERTSTATUS_GOOD)
    return refuse(leaf, "its issuer's OCSP responder does not know it");
  return std::min(*until, end_of_signer(basic.get()));
}

}  // namespace gaiter::engine
