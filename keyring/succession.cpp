#include "keyring/succession.h"

#include <algorithm>

#include "keyring/errors.h"
#include "keyring/former_keys.h"
#include "keyring/pem.h"

namespace gaiter::keyring {
namespace {

bool has_expired(const X509* certificate) {
  return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

bool is_among(const X509* certificate, const std::vector<const X509*>& others) {
  return std::ranges::any_of(others,
                             [&](const X509* other) { return X509_cmp(certificate, other) == 0; });
}

bool same_key(const X509* one, const X509* other) {
  return EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(other)) == 1;
}

void keep(std::vector<const X509*>& kept, const X509* certificate) {
  if (!has_expired(certificate) && !is_among(certificate, kept)) kept.push_back(certificate);
}

// What `previous.pem` holds; nothing if it is not there.
Result<std::vector<CertificatePtr>> read_previous(const Keyring& keyring,
                                                  const std::string& label) {
  auto content = read_entry_file(keyring, label, previous_pem, Guard::write);
  if (!content && content.error().kind == Error::Kind::not_found) {
    return std::vector<CertificatePtr>();
  }
  if (!content) return pass_on(content);
  auto bundle = parse_bundle(content->view(), keyring.path() + "/" + label + "/" + previous_pem);
  if (!bundle) return pass_on(bundle);
  return std::move(bundle->certificates);
}

// The former keys of an entry that fit none of `kept`.
std::vector<std::string> keys_to_go(const Keyring& keyring, const std::string& label,
                                    const std::vector<const X509*>& kept) {
  const auto directory = open_directory(keyring.path() + "/" + label);
  if (!directory) return {};
  std::vector<std::string> names = former_key_files(*directory);
  std::erase_if(names, [&](const std::string& name) {
    return std::ranges::any_of(
        kept, [&](const X509* certificate) { return former_key_file(certificate) == name; });
  });
  return names;
}

}  // namespace

Result<void> check_own(const Keyring& keyring, const std::string& label) {
  const auto entry = keyring.entry(label);
  if (!entry || entry->connected.empty()) return {};
  return fail(Error::Kind::invalid, "\"" + label + "\" is connected to " + entry->connected +
                                        ": change it there, and it changes here");
}

std::vector<FileChange> Succession::changes() const {
  std::vector<FileChange> files{{certificate_pem, certificates_pem},
                                {entry_conf, conf},
                                {request_pem},
                                {ocsp_der},
                                {keyring::previous_pem}};
  if (!previous_pem.empty()) files.back().content = previous_pem;
  for (const std::string& name : former_keys_to_go) files.push_back({name});
  return files;
}

Result<Succession> succeed(const Keyring& keyring, const std::string& label,
                           const std::vector<const X509*>& certificates,
                           const std::string& origin) {
  auto old = keyring.entry(label);
  if (!old) return pass_on(old);
  auto before = read_previous(keyring, label);
  if (!before) return pass_on(before);

  std::vector<const X509*> shown = certificates;
  std::vector<const X509*> kept;
  const X509* const leaf = certificates.front();
  if (old->usage == Usage::ca) {
    if (!same_key(old->leaf.get(), leaf)) keep(shown, old->leaf.get());
    for (const CertificatePtr& other : old->chain) {
      if (!same_key(other.get(), leaf)) keep(shown, other.get());
    }
  } else {
    keep(kept, old->leaf.get());
  }
  for (const CertificatePtr& one : *before) keep(kept, one.get());

  auto shown_pem = certificates_to_pem(shown);
  if (!shown_pem) return pass_on(shown_pem);
  auto kept_pem = certificates_to_pem(kept);
  if (!kept_pem) return pass_on(kept_pem);
  return Succession{
      *std::move(shown_pem), *std::move(kept_pem),
      print(EntryConf{.usage = old->usage, .trusted = old->trusted, .origin = origin}),
      keys_to_go(keyring, label, shown)};
}

}  // namespace gaiter::keyring
