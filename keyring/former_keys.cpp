#include "keyring/former_keys.h"

#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/public_key.h"

namespace gaiter::keyring {
namespace {

constexpr size_t name_digits = 16;

}  // namespace

std::string former_key_file(const X509* certificate) {
  return std::string(former_key_prefix) +
         key_fingerprint(X509_get_X509_PUBKEY(certificate)).substr(0, name_digits) + ".pem";
}

bool is_former_key_file(std::string_view name) {
  return name.starts_with(former_key_prefix) && name.ends_with(".pem");
}

std::vector<std::string> former_key_files(const Directory& entry) {
  auto names = list(entry);
  if (!names) return {};
  std::erase_if(*names, [](const std::string& name) { return !is_former_key_file(name); });
  return *std::move(names);
}

Result<std::vector<Identity>> list_signers(const Keyring& keyring, const std::string& label) {
  auto present = keyring.identity(label);
  if (!present) return pass_on(present);
  auto entry = keyring.entry(label);
  if (!entry) return pass_on(entry);
  const std::string own = former_key_file(present->leaf.get());
  std::vector<CertificatePtr> certificates = std::move(entry->chain);
  certificates.insert(certificates.begin(), std::move(entry->leaf));
  std::vector<Identity> signers;
  signers.push_back(*std::move(present));
  for (CertificatePtr& certificate : certificates) {
    const std::string name = former_key_file(certificate.get());
    if (name == own || X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) continue;
    auto stored = read_stored_key(keyring, label, name);
    if (!stored && stored.error().kind == Error::Kind::not_found) continue;
    if (!stored) return pass_on(stored);
    if (X509_check_private_key(certificate.get(), stored->key.get()) != 1) {
      take_openssl_reason();
      return fail(Error::Kind::invalid, keyring.path() + "/" + label + "/" + name +
                                            " is not the key that its name tells of");
    }
    signers.push_back({.label = label,
                       .leaf = std::move(certificate),
                       .chain = {},
                       .key = std::move(stored->key)});
  }
  return signers;
}

}  // namespace gaiter::keyring
