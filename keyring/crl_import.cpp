#include "keyring/crl_import.h"

#include <openssl/x509v3.h>

#include <algorithm>

#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/pem.h"
#include "keyring/revocation.h"
#include "keyring/succession.h"
#include "keyring/words.h"
#include "keyring/writer.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

std::unexpected<Error> refuse(const std::string& why) { return fail(Error::Kind::invalid, why); }

bool is_by(X509_CRL* list, const X509* ca) {
  if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(ca)) != 0) return false;
  const bool fits = X509_CRL_verify(list, X509_get0_pubkey(ca)) == 1;
  take_openssl_reason();
  return fits;
}

// The CA of the entry that signed the list; null if none did.
const X509* signer_of(X509_CRL* list, const Entry& entry) {
  if (is_by(list, entry.leaf.get())) return entry.leaf.get();
  const auto found = std::ranges::find_if(
      entry.chain, [&](const CertificatePtr& one) { return is_by(list, one.get()); });
  return found == entry.chain.end() ? nullptr : found->get();
}

// RFC 5280 5.2.3: numbers grow; where there are none, dates do.
bool is_older(const X509_CRL* list, const X509_CRL* than) {
  if (const long a = crl_number(list), b = crl_number(than); a != 0 && b != 0) return a < b;
  return ASN1_TIME_compare(X509_CRL_get0_lastUpdate(list), X509_CRL_get0_lastUpdate(than)) < 0;
}

Result<void> check_list(const X509_CRL* list, const std::string& name) {
  const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(list);
  if (next != nullptr && X509_cmp_current_time(next) < 0)
    return refuse(name + ": the list of " + name_text(X509_CRL_get_issuer(list)) +
                  " is out of date since " + time_text(time_of(next)));
  if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0)
    return refuse(name + " is a delta list, which says only what changed; get the whole list");
  return {};
}

}  // namespace

Result<std::vector<CrlPtr>> import_crls(const Keyring& keyring, const std::string& label,
                                        std::string_view bytes, const std::string& name) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  if (auto own = check_own(keyring, label); !own) return pass_on(own);
  const auto entry = keyring.entry(label);
  if (!entry) return std::unexpected(entry.error());
  if (entry->usage != Usage::ca)
    return refuse("\"" + label + "\" is no CA's entry, and only a CA has revocation lists");
  if (entry->has_key)
    return refuse("the key of \"" + label +
                  "\" is here, so its lists are signed here: gaiter "
                  "keyring crl --ca " +
                  label);
  auto fresh = parse_crls(bytes, name);
  if (!fresh) return fresh;
  if (fresh->empty()) return refuse(name + " holds no revocation list");
  auto present = read_crls(keyring.path() + "/" + label);
  if (!present) return present;
  for (const CrlPtr& list : *fresh) {
    if (auto good = check_list(list.get(), name); !good) return pass_on(good);
    const X509* const ca = signer_of(list.get(), *entry);
    if (ca == nullptr)
      return refuse(name + ": the list of " + name_text(X509_CRL_get_issuer(list.get())) +
                    " was signed by no CA of \"" + label + "\"");
    const auto same = [&](const CrlPtr& old) { return is_by(old.get(), ca); };
    const auto older = [&](const CrlPtr& old) {
      return same(old) && is_older(list.get(), old.get());
    };
    if (std::ranges::any_of(*present, older))
      return refuse(name + ": a newer list of " + name_text(X509_CRL_get_issuer(list.get())) +
                    " is in \"" + label + "\" already");
    std::erase_if(*present, same);
  }
  std::vector<CrlPtr> all;
  for (const std::vector<CrlPtr>* lists : {&*fresh, &*present}) {
    for (const CrlPtr& list : *lists) {
      X509_CRL_up_ref(list.get());
      all.emplace_back(list.get());
    }
  }
  auto pem = crls_to_pem(all);
  if (!pem) return pass_on(pem);
  if (auto written = writer->change(label, {{crl_pem, *pem}}); !written) return pass_on(written);
  return fresh;
}

}  // namespace gaiter::keyring
