// Taking in what was made elsewhere.
#include <openssl/x509v3.h>

#include <algorithm>
#include <iterator>

#include "keyring/certificate_check.h"
#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/label.h"
#include "keyring/pem.h"
#include "keyring/pkcs12.h"
#include "keyring/store.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

constexpr size_t max_chain = 16;
constexpr std::string_view utf8_mark = "\xEF\xBB\xBF";

std::unexpected<Error> refuse(const std::string& what) { return fail(Error::Kind::invalid, what); }

// X509_check_ca(): 1 says basicConstraints, 3 a self-signed certificate of version
// 1, which has no extensions to say it with.
bool is_ca(const CertificatePtr& certificate) {
  const int kind = X509_check_ca(certificate.get());
  return kind == 1 || kind == 3;
}

// The item that is meant of a PKCS#12 file: its only key, or the one of that name.
// Without any key, all its certificates.
Result<Bundle> choose(std::vector<Pkcs12Item> items, const std::string& name,
                      const std::string& wanted) {
  std::string names;
  std::vector<Pkcs12Item*> keys;
  for (Pkcs12Item& item : items) {
    if (item.key == nullptr) continue;
    names += (names.empty() ? "\"" : ", \"") + item.name + "\"";
    if (wanted.empty() || item.name == wanted) keys.push_back(&item);
  }
  if (keys.empty() && !wanted.empty()) {
    return refuse(name + " holds no key of the name \"" + wanted + "\"; it has " +
                  (names.empty() ? "no key at all" : names));
  }
  if (keys.size() > 1)
    return refuse(name + " holds several keys: " + names + "; choose one (--item)");
  Bundle bundle;
  for (Pkcs12Item& item : items) {
    if (!keys.empty() && &item != keys.front()) continue;
    if (item.key != nullptr) bundle.key = std::move(item.key);
    std::ranges::move(item.certificates, std::back_inserter(bundle.certificates));
  }
  return bundle;
}

Result<Bundle> parse_file(const ImportFile& file, const std::string& item,
                          const AskPassphrase& ask) {
  std::string_view bytes = file.bytes;
  if (bytes.size() > max_file_size) return refuse(file.name + " is longer than 1 MiB");
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    return refuse(file.name + " is text in UTF-16; PEM is ASCII");
  }
  if (bytes.starts_with(utf8_mark)) bytes.remove_prefix(utf8_mark.size());
  if (!is_pkcs12(bytes)) return parse_bundle(bytes, file.name, ask);
  auto items = parse_pkcs12(bytes, file.name, ask);
  if (!items) return pass_on(items);
  return choose(*std::move(items), file.name, item);
}

// All files together.
Result<Bundle> parse_files(const Import& import, const AskPassphrase& ask) {
  Bundle all;
  for (const ImportFile& file : import.files) {
    auto bundle = parse_file(file, import.item, ask);
    if (!bundle) return bundle;
    if (bundle->key != nullptr) {
      if (all.key != nullptr) return refuse(file.name + " holds a second private key");
      all.key = std::move(bundle->key);
    }
    std::ranges::move(bundle->certificates, std::back_inserter(all.certificates));
    if (import.skipped == nullptr) continue;
    for (const std::string& what : bundle->skipped)
      import.skipped->push_back(file.name + ": " + what);
  }
  return all;
}

Usage usual_usage(const Bundle& bundle) {
  if (bundle.key != nullptr) return Usage::personal;
  return std::ranges::all_of(bundle.certificates, is_ca) ? Usage::ca : Usage::site;
}

Result<void> check_and_sort(Usage usage, Bundle& bundle, const std::string& name) {
  if (bundle.certificates.empty()) return refuse(name + " holds no certificate");
  if (usage == Usage::personal && bundle.key == nullptr) {
    return refuse(name + " holds no private key, which usage personal needs");
  }
  if (usage == Usage::site && bundle.key != nullptr) {
    return refuse(name +
                  " holds a private key; a site is somebody else, and only its certificate belongs "
                  "here");
  }
  if ((bundle.key != nullptr || usage != Usage::ca) &&
      !bring_leaf_forward(bundle.certificates, bundle.key.get())) {
    return refuse(name + " holds a private key that fits none of its certificates");
  }
  if (usage != Usage::ca) {
    sort_chain(bundle.certificates);
    return {};
  }
  const auto other = std::ranges::find_if_not(bundle.certificates, is_ca);
  if (other == bundle.certificates.end()) return {};
  return refuse("the certificate of " + subject_text(other->get()) +
                " is not a CA's (basicConstraints does not say CA:TRUE); usage site trusts a "
                "single certificate");
}

}  // namespace

Result<Entry> import_entry(const Keyring& keyring, std::string_view label, const Import& import,
                           const AskPassphrase& ask) {
  if (auto good = check_label(label); !good) return pass_on(good);
  auto bundle = parse_files(import, ask);
  if (!bundle) return pass_on(bundle);
  const Usage usage = import.usage.value_or(usual_usage(*bundle));
  const std::string& name = import.files.front().name;
  for (const CertificatePtr& certificate : bundle->certificates) {
    if (auto good = check_certificate(certificate.get(), name); !good) return pass_on(good);
  }
  if (auto good = check_and_sort(usage, *bundle, name); !good) return pass_on(good);
  if (usage != Usage::ca && bundle->certificates.size() > max_chain) {
    return refuse(name + " holds a chain of " + std::to_string(bundle->certificates.size()) +
                  " certificates; peers take no more than " + std::to_string(max_chain));
  }
  NewEntry entry{.conf = {.usage = usage, .trusted = true, .origin = "imported"},
                 .certificates = {},
                 .key = bundle->key.get()};
  for (const CertificatePtr& certificate : bundle->certificates) {
    entry.certificates.push_back(certificate.get());
  }
  return put_entry(keyring, std::string(label), entry, import.replace);
}

Result<Entry> import_entry(const Keyring& keyring, std::string_view label, Usage usage,
                           std::string_view pem, bool replace) {
  return import_entry(keyring, label,
                      {.files = {{"the import", pem}}, .usage = usage, .replace = replace},
                      nullptr);
}

}  // namespace gaiter::keyring
