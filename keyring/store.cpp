#include "keyring/store.h"

#include <openssl/x509v3.h>

#include <optional>

#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/issue.h"
#include "keyring/label.h"
#include "keyring/pem.h"
#include "keyring/writer.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

constexpr const char* import_name = "the import";

// Under the writer's lock; `entry` borrows.
Result<Entry> put(const Keyring& keyring, const std::string& label, const NewEntry& entry,
                  bool replace) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  if (auto written = writer->put(label, entry, replace); !written) return pass_on(written);
  return keyring.entry(label);
}

// X509_check_ca(): 1 says basicConstraints, 3 a self-signed certificate of version
// 1, which has no extensions to say it with.
bool is_ca(X509* certificate) {
  const int kind = X509_check_ca(certificate);
  return kind == 1 || kind == 3;
}

Result<void> check_import(Usage usage, Bundle& bundle) {
  if (bundle.certificates.empty()) {
    return fail(Error::Kind::invalid, std::string(import_name) + " holds no certificate");
  }
  if (usage == Usage::personal && bundle.key == nullptr) {
    return fail(Error::Kind::invalid,
                std::string(import_name) + " holds no private key, which usage personal needs");
  }
  if (usage == Usage::site && bundle.key != nullptr) {
    return fail(Error::Kind::invalid, std::string(import_name) +
                                          " holds a private key; a site is somebody else, and "
                                          "only its certificate belongs here");
  }
  if ((bundle.key != nullptr || usage != Usage::ca) &&
      !bring_leaf_forward(bundle.certificates, bundle.key.get())) {
    return fail(
        Error::Kind::invalid,
        std::string(import_name) + " holds a private key that fits none of its certificates");
  }
  if (usage != Usage::ca) {
    sort_chain(bundle.certificates);
    return {};
  }
  for (const CertificatePtr& certificate : bundle.certificates) {
    if (!is_ca(certificate.get())) {
      return fail(Error::Kind::invalid,
                  "the certificate of " + subject_text(certificate.get()) +
                      " is not a CA's (basicConstraints does not say CA:TRUE); usage site trusts a "
                      "single certificate");
    }
  }
  return {};
}

}  // namespace

Result<Keyring> create_keyring(const std::string& path) {
  {
    auto writer = Writer::lock_new(path);
    if (!writer) return pass_on(writer);
    if (!writer->is_keyring()) {
      if (auto made = writer->put_conf({}); !made) return pass_on(made);
    }
  }
  return Keyring::open(path);
}

Result<Entry> create_entry(const Keyring& keyring, const NewCertificate& request) {
  if (auto good = check_label(request.label); !good) return pass_on(good);
  std::optional<Identity> signer;
  if (!request.signer.empty()) {
    auto found = keyring.identity(request.signer);
    if (!found) return pass_on(found);
    signer = *std::move(found);
  }
  auto key = make_key();
  if (!key) return pass_on(key);
  auto certificate = issue(request, key->get(), signer ? &*signer : nullptr);
  if (!certificate) return pass_on(certificate);

  NewEntry entry{.conf = {.usage = request.is_ca ? Usage::ca : Usage::personal,
                          .trusted = true,
                          .origin = signer ? "signed by " + signer->label : "created"},
                 .certificates = {certificate->get()},
                 .key = key->get()};
  // A root is known to whoever trusts it; everyone between must be shown.
  if (signer && !is_self_signed(signer->leaf.get())) {
    entry.certificates.push_back(signer->leaf.get());
    for (const CertificatePtr& above : signer->chain) entry.certificates.push_back(above.get());
  }
  return put(keyring, request.label, entry, false);
}

Result<Entry> import_entry(const Keyring& keyring, std::string_view label, Usage usage,
                           std::string_view pem, bool replace) {
  if (auto good = check_label(label); !good) return pass_on(good);
  auto bundle = parse_bundle(pem, import_name);
  if (!bundle) return pass_on(bundle);
  if (auto good = check_import(usage, *bundle); !good) return pass_on(good);
  NewEntry entry{.conf = {.usage = usage, .trusted = true, .origin = "imported"},
                 .certificates = {},
                 .key = bundle->key.get()};
  for (const CertificatePtr& certificate : bundle->certificates) {
    entry.certificates.push_back(certificate.get());
  }
  return put(keyring, std::string(label), entry, replace);
}

Result<void> set_default(const Keyring& keyring, std::string_view label) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  const auto entry = keyring.entry(label);
  if (!entry) return std::unexpected(entry.error());
  if (entry->usage != Usage::personal || !entry->has_key) {
    return fail(Error::Kind::invalid, "\"" + entry->label +
                                          "\" cannot be the default: it is not a personal entry "
                                          "with a private key");
  }
  return writer->put_conf({.default_label = entry->label});
}

}  // namespace gaiter::keyring
