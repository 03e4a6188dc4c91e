#include "keyring/withdrawn.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <iterator>

#include "keyring/entry_files.h"
#include "keyring/revocation.h"
#include "keyring/words.h"

namespace gaiter::keyring {
namespace {

std::string reason_of(const X509_REVOKED* entry) {
  const std::unique_ptr<ASN1_ENUMERATED, OpenSslDeleter<ASN1_ENUMERATED_free>> code(
      static_cast<ASN1_ENUMERATED*>(
          X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr)));
  take_openssl_reason();
  return revocation_word(code == nullptr ? -1 : static_cast<int>(ASN1_ENUMERATED_get(code.get())));
}

}  // namespace

Result<std::vector<CrlPtr>> lists_of(const Keyring& keyring, const std::vector<Entry>& entries) {
  std::vector<CrlPtr> all;
  for (const Entry& entry : entries) {
    const std::string directory =
        entry.connected.empty() ? keyring.path() + "/" + entry.label : entry.connected;
    // The system's CAs and a PKCS#12 file have none.
    if (entry.usage != Usage::ca || !entry.trusted || !directory.starts_with('/')) continue;
    auto lists = read_crls(directory);
    if (!lists) return lists;
    std::ranges::move(*lists, std::back_inserter(all));
  }
  return all;
}

std::optional<Withdrawn> find_withdrawn(const std::vector<CrlPtr>& lists, const X509* certificate) {
  for (const CrlPtr& list : lists) {
    if (X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_issuer_name(certificate)) != 0)
      continue;
    X509_REVOKED* entry = nullptr;
    // The getter lacks a const only. 2 = removeFromCRL.
    if (X509_CRL_get0_by_serial(list.get(), &entry,
                                const_cast<ASN1_INTEGER*>(X509_get0_serialNumber(certificate))) !=
        1) {
      continue;
    }
    return Withdrawn{reason_of(entry), time_of(X509_REVOKED_get0_revocationDate(entry))};
  }
  return std::nullopt;
}

std::string withdrawn_word(const std::vector<CrlPtr>& lists, const X509* certificate) {
  const auto withdrawn = find_withdrawn(lists, certificate);
  return withdrawn ? withdrawn->reason : "";
}

std::string withdrawn_text(const Withdrawn& withdrawn) {
  return "was revoked on " + time_text(withdrawn.time) + " (" + withdrawn.reason + ")";
}

}  // namespace gaiter::keyring
