#include "keyring/ocsp_response.h"

#include <openssl/ocsp.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/format.h"
#include "keyring/former_keys.h"
#include "keyring/key_type.h"
#include "keyring/revocation.h"
#include "keyring/signer.h"
#include "keyring/succession.h"
#include "keyring/words.h"
#include "keyring/writer.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

using BasicPtr = std::unique_ptr<OCSP_BASICRESP, OpenSslDeleter<OCSP_BASICRESP_free>>;
using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, OpenSslDeleter<OCSP_RESPONSE_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, OpenSslDeleter<OCSP_CERTID_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, OpenSslDeleter<ASN1_TIME_free>>;
void free_stack(STACK_OF(X509) * stack) { sk_X509_free(stack); }  // not the certificates
using StackPtr = std::unique_ptr<STACK_OF(X509), OpenSslDeleter<free_stack>>;

// Clocks of peers may lag.
constexpr std::chrono::seconds backdating = std::chrono::minutes(5);

std::unexpected<Error> refuse(const std::string& why) {
  const std::string reason = take_openssl_reason();
  return fail(Error::Kind::invalid, why + (reason.empty() ? "" : " (" + reason + ")"));
}

std::unexpected<Error> fail_openssl() {
  return fail(Error::Kind::system, "cannot make an OCSP response: " + take_openssl_reason());
}

const char* status_word(int status) {
  return status == V_OCSP_CERTSTATUS_GOOD      ? "good"
         : status == V_OCSP_CERTSTATUS_REVOKED ? "revoked"
                                               : "unknown";
}

// SHA-1, as every client expects it here (RFC 5019 2.1.1); nothing hangs on its strength.
IdPtr id_of(const X509* certificate, const X509* issuer) {
  return IdPtr(OCSP_cert_to_id(EVP_sha1(), certificate, issuer));
}

Result<std::string> sign_response(const Identity& ca, X509* certificate,
                                  const std::optional<Revoked>& revoked,
                                  std::chrono::days lifetime) {
  const BasicPtr basic(OCSP_BASICRESP_new());
  const IdPtr id = id_of(certificate, ca.leaf.get());
  const TimePtr from(ASN1_TIME_set(nullptr, (now() - backdating).time_since_epoch().count()));
  const TimePtr until(ASN1_TIME_set(nullptr, (now() + lifetime).time_since_epoch().count()));
  const TimePtr since(revoked ? ASN1_TIME_set(nullptr, revoked->time.time_since_epoch().count())
                              : nullptr);
  if (basic == nullptr || id == nullptr ||
      OCSP_basic_add1_status(
          basic.get(), id.get(), revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
          revoked ? revocation_code(revoked->reason) : OCSP_REVOKED_STATUS_NOSTATUS, since.get(),
          from.get(), until.get()) == nullptr ||
      OCSP_basic_sign(basic.get(), ca.leaf.get(), ca.key.get(), digest_for(ca.key.get()), nullptr,
                      OCSP_RESPID_KEY | OCSP_NOCERTS) != 1) {
    return fail_openssl();
  }
  const ResponsePtr response(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  unsigned char* der = nullptr;
  const int length = response != nullptr ? i2d_OCSP_RESPONSE(response.get(), &der) : 0;
  if (length <= 0) return fail_openssl();
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  return bytes;
}

Result<std::optional<Revoked>> find_revoked(const Keyring& keyring, const std::string& ca,
                                            const X509* certificate) {
  auto all = read_revoked(keyring, ca);
  if (!all) return pass_on(all);
  const auto found =
      std::ranges::find(*all, serial_text(X509_get0_serialNumber(certificate)), &Revoked::serial);
  return found != all->end() ? std::optional(*found) : std::nullopt;
}

// The certificate that issued the entry's: from its chain, or a `ca` entry.
Result<CertificatePtr> issuer_of(const Keyring& keyring, Entry& entry) {
  const auto is_issuer = [&](const CertificatePtr& candidate) {
    return issued(candidate.get(), entry.leaf.get());
  };
  if (is_issuer(entry.leaf)) {
    X509_up_ref(entry.leaf.get());
    return CertificatePtr(entry.leaf.get());
  }
  auto others = keyring.entries();
  if (!others) return pass_on(others);
  std::vector<CertificatePtr> known = std::move(entry.chain);
  for (Entry& other : *others) {
    if (other.usage != Usage::ca) continue;
    known.push_back(std::move(other.leaf));
    for (CertificatePtr& link : other.chain) known.push_back(std::move(link));
  }
  const auto found = std::ranges::find_if(known, is_issuer);
  if (found != known.end()) return std::move(*found);
  return refuse("the issuer of " + subject_text(entry.leaf.get()) + ", " +
                name_text(X509_get_issuer_name(entry.leaf.get())) +
                ", is not in the keyring; import its certificate first");
}

// RFC 6960 4.2.2.2: by the issuer itself, or whom it delegated by a certificate.
Result<void> check_signature(OCSP_BASICRESP* basic, X509* issuer, const std::string& name) {
  const TrustStorePtr trust(X509_STORE_new());
  const StackPtr known(sk_X509_new_null());
  if (trust == nullptr || known == nullptr || X509_STORE_add_cert(trust.get(), issuer) != 1 ||
      X509_STORE_set_flags(trust.get(), X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
      sk_X509_push(known.get(), issuer) <= 0) {
    return fail_openssl();
  }
  if (OCSP_basic_verify(basic, known.get(), trust.get(), OCSP_PARTIAL_CHAIN) == 1) return {};
  return refuse(name + " was not signed by " + subject_text(issuer) + " or for it");
}

Result<OcspFacts> facts_about(OCSP_BASICRESP* basic, const X509* certificate, const X509* issuer,
                              const std::string& name) {
  const IdPtr id = id_of(certificate, issuer);
  int status = V_OCSP_CERTSTATUS_UNKNOWN;
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  if (id == nullptr ||
      OCSP_resp_find_status(basic, id.get(), &status, nullptr, nullptr, &from, &until) != 1) {
    return refuse(name + " says nothing about " + subject_text(certificate) + ", serial number " +
                  serial_text(X509_get0_serialNumber(certificate)));
  }
  if (OCSP_check_validity(from, until, backdating.count(), -1) != 1) {
    return refuse(name + " is out of date, or not valid yet");
  }
  return OcspFacts{status_word(status), time_of(from),
                   until != nullptr ? time_of(until) : std::chrono::sys_seconds()};
}

}  // namespace

Result<OcspFacts> make_ocsp_response(const Keyring& keyring, const std::string& label,
                                     std::chrono::days lifetime) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  auto entry = keyring.entry(label);
  if (!entry) return pass_on(entry);
  auto ca = find_signer(keyring, entry->leaf.get());
  if (!ca) return pass_on(ca);
  if (!*ca) {
    return refuse("\"" + label + "\" is self-signed: nobody can say that it is revoked");
  }
  auto signers = list_signers(keyring, (*ca)->label);
  if (!signers) return pass_on(signers);
  const auto issuer = std::ranges::find_if(*signers, [&](const Identity& signer) {
    return issued(signer.leaf.get(), entry->leaf.get());
  });
  if (issuer == signers->end()) {
    return refuse("\"" + label + "\" was signed by a former key of \"" + (*ca)->label +
                  "\" that is gone; `gaiter keyring renew " + label + "` signs it by the new one");
  }
  auto revoked = find_revoked(keyring, (*ca)->label, entry->leaf.get());
  if (!revoked) return pass_on(revoked);
  auto der = sign_response(*issuer, entry->leaf.get(), *revoked, lifetime);
  if (!der) return pass_on(der);
  if (auto written = writer->change(label, {{ocsp_der, *der}}); !written) return pass_on(written);
  return OcspFacts{*revoked ? "revoked" : "good", now() - backdating, now() + lifetime};
}

Result<OcspFacts> import_ocsp_response(const Keyring& keyring, const std::string& label,
                                       std::string_view der, const std::string& name) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  auto entry = keyring.entry(label);
  if (!entry) return pass_on(entry);
  const unsigned char* at = reinterpret_cast<const unsigned char*>(der.data());
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (response == nullptr ||
      der.size() != static_cast<size_t>(at - reinterpret_cast<const unsigned char*>(der.data()))) {
    return refuse(name + " is no OCSP response in DER");
  }
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return refuse(
        name + " is an error: " + OCSP_response_status_str(OCSP_response_status(response.get())));
  }
  const BasicPtr basic(OCSP_response_get1_basic(response.get()));
  if (basic == nullptr) return refuse(name + " is no basic OCSP response");
  auto issuer = issuer_of(keyring, *entry);
  if (!issuer) return pass_on(issuer);
  if (auto good = check_signature(basic.get(), issuer->get(), name); !good) return pass_on(good);
  auto facts = facts_about(basic.get(), entry->leaf.get(), issuer->get(), name);
  if (!facts) return facts;
  if (auto written = writer->change(label, {{ocsp_der, der}}); !written) return pass_on(written);
  return facts;
}

}  // namespace gaiter::keyring
