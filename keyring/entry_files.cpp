#include "keyring/entry_files.h"

#include <openssl/pem.h>

#include <algorithm>

#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/ocsp.h"
#include "keyring/passphrase.h"
#include "keyring/pem.h"
#include "keyring/undecoded_keys.h"

namespace gaiter::keyring {
namespace {

// As read_file(), but a file that is missing makes the entry invalid: that the
// entry itself is not there is another matter.
Result<Content> read_part(const Directory& entry, const char* name, Guard guard) {
  auto content = read_file(entry, name, guard);
  if (!content && content.error().kind == Error::Kind::not_found) {
    content.error() = {Error::Kind::invalid, entry.path + " is no whole entry, it has no " + name +
                                                 ": put the file back, or remove the directory"};
  }
  return content;
}

Result<std::vector<CertificatePtr>> read_certificates(const Directory& entry, const char* name,
                                                      PublicKeys public_keys) {
  const std::string path = entry.path_of(name);
  auto content = read_part(entry, name, Guard::write);
  if (!content) return pass_on(content);
  auto bundle = parse_bundle(content->view(), path, nullptr, public_keys);
  if (!bundle) return pass_on(bundle);
  if (bundle->key != nullptr) {
    return fail(Error::Kind::insecure,
                path + " holds a private key, and all may read it; a key's place is " +
                    entry.path_of(key_pem));
  }
  if (bundle->certificates.empty()) {
    return fail(Error::Kind::invalid, path + " holds no certificate");
  }
  return std::move(bundle->certificates);
}

Result<KeyPtr> parse_key(const Content& content, const std::string& path,
                         const AskPassphrase& ask) {
  auto bundle = parse_bundle(content.view(), path, ask);
  if (!bundle) return pass_on(bundle);
  if (bundle->key == nullptr) return fail(Error::Kind::invalid, path + " holds no private key");
  return std::move(bundle->key);
}

// Brings the leaf forward and its chain into order, and notes if that was needed.
Result<void> put_in_order(EntryFiles& files) {
  std::vector<const X509*> before;
  for (const CertificatePtr& certificate : files.certificates) before.push_back(certificate.get());
  if (!bring_leaf_forward(files.certificates, files.key.get())) {
    return fail(Error::Kind::invalid,
                files.directory + "/" + key_pem + " does not belong to " + files.file);
  }
  sort_chain(files.certificates);
  // In a `ca` entry the order means nothing, and all others are trusted, too.
  const bool same = files.conf.usage == Usage::ca ||
                    std::ranges::equal(files.certificates, before, {}, &CertificatePtr::get);
  if (!same) {
    const bool all = files.certificates.size() == before.size();
    files.problems.push_back(
        {{},
         files.file,
         all ? "its certificates are out of order; they are used in the right one"
             : "holds certificates that do not belong to its chain; they are left out"});
  }
  return {};
}

// An OCSP response that is of no use is no reason to refuse the entry.
void read_ocsp_response(const Directory& entry, EntryFiles& files) {
  if (!exists(entry, ocsp_der)) return;
  const auto content = read_file(entry, ocsp_der, Guard::write);
  const auto good = content ? check_ocsp_response(content->view(), files.certificates[0].get())
                            : std::unexpected(content.error());
  if (good) {
    files.ocsp_response.assign(content->view().begin(), content->view().end());
  } else {
    files.problems.push_back(
        {{}, entry.path_of(ocsp_der), good.error().message + "; it is not stapled"});
  }
}

Result<KeyPtr> read_key(const Directory& entry, const AskPassphrase& ask, Depth depth) {
  auto content = read_part(entry, key_pem, Guard::read);
  if (!content) return pass_on(content);
  // OpenSSL then falls back to what it had before there were providers.
  const KeysUndecoded leave(depth == Depth::fit);
  return parse_key(*content, entry.path_of(key_pem), ask);
}

Result<StoredKey> read_stored(const Keyring& keyring, const Directory& directory,
                              const Directory& entry, const std::string& name) {
  auto content = read_file(entry, name.c_str(), Guard::read);
  if (!content) return pass_on(content);
  const auto conf = read_keyring_conf(directory);
  if (!conf) return std::unexpected(conf.error());
  auto key = parse_key(*content, entry.path_of(name), [&](const std::string& file) {
    return find_passphrase(file, conf->passphrase_file, keyring.ask());
  });
  if (!key) return pass_on(key);
  return StoredKey{*std::move(content), *std::move(key)};
}

Result<EntryFiles> read_opened(const Directory& entry, Depth depth, const AskPassphrase& ask) {
  EntryFiles files;
  files.directory = entry.path;
  files.file = entry.path_of(certificate_pem);
  const auto conf_text = read_part(entry, entry_conf, Guard::write);
  if (!conf_text) return std::unexpected(conf_text.error());
  auto conf = parse_entry_conf(conf_text->view(), entry.path_of(entry_conf));
  if (!conf) return pass_on(conf);
  files.conf = *std::move(conf);
  files.has_key = exists(entry, key_pem);
  files.is_pending = !exists(entry, certificate_pem) && exists(entry, next_key_pem);
  if (depth == Depth::conf || !files.conf.connected.empty()) return files;
  if (files.is_pending) {
    return fail(Error::Kind::pending, entry.path + " has no certificate yet: let a CA sign " +
                                          entry.path_of(request_pem) +
                                          ", then: gaiter keyring receive LABEL FILE");
  }

  const bool looks_only = depth == Depth::listing || depth == Depth::fit;
  auto certificates = read_certificates(entry, certificate_pem,
                                        looks_only ? PublicKeys::leave : PublicKeys::decode);
  if (!certificates) return pass_on(certificates);
  files.certificates = *std::move(certificates);
  if (depth >= Depth::fit) {
    if (!files.has_key) {
      return fail(Error::Kind::invalid, entry.path + " holds no private key (" + key_pem + ")");
    }
    auto key = read_key(entry, ask, depth);
    if (!key) return pass_on(key);
    files.key = *std::move(key);
  }
  // A certificate that has a key is found by it; a bundle of CAs has no leaf.
  if (files.key != nullptr || files.conf.usage != Usage::ca) {
    if (auto ordered = put_in_order(files); !ordered) return pass_on(ordered);
  }
  if (depth >= Depth::fit) read_ocsp_response(entry, files);
  return files;
}

}  // namespace

Result<EntryFiles> read_entry(const Directory& keyring, const std::string& label, Depth depth,
                              const AskPassphrase& ask) {
  for (int attempt = 0;; ++attempt) {
    auto entry = open_directory(keyring, label);
    if (!entry) return pass_on(entry);
    auto files = read_opened(*entry, depth, ask);
    // If the directory was replaced or removed, its files may have gone while they
    // were read, so not even an error says anything about the entry.
    if (is_still(keyring, label, *entry) || attempt == 100) return files;
  }
}

Result<KeyringConf> read_keyring_conf(const Directory& keyring) {
  const auto text = read_file(keyring, keyring_conf, Guard::write);
  if (!text) return std::unexpected(text.error());
  return parse_keyring_conf(text->view(), keyring.path_of(keyring_conf));
}

Result<std::vector<CrlPtr>> read_crls(const std::string& directory) {
  const auto entry = open_directory(directory);
  if (!entry) return std::unexpected(entry.error());
  std::vector<CrlPtr> crls;
  if (!exists(*entry, crl_pem)) return crls;
  const auto content = read_file(*entry, crl_pem, Guard::write);
  if (!content) return std::unexpected(content.error());
  return parse_crls(content->view(), entry->path_of(crl_pem));
}

Result<StoredKey> read_stored_key(const Keyring& keyring, const std::string& label,
                                  const std::string& name) {
  auto directory = open_directory(keyring.path());
  if (!directory) return pass_on(directory);
  auto entry = open_directory(*directory, label);
  if (!entry) return pass_on(entry);
  return read_stored(keyring, *directory, *entry, name);
}

Result<NextFiles> read_next(const Keyring& keyring, const std::string& label) {
  auto directory = open_directory(keyring.path());
  if (!directory) return pass_on(directory);
  auto entry = open_directory(*directory, label);
  if (!entry) return pass_on(entry);
  auto stored = read_stored(keyring, *directory, *entry, next_key_pem);
  if (!stored) return pass_on(stored);
  NextFiles next{std::move(stored->file), std::move(stored->key), {}};
  if (!exists(*entry, next_certificate_pem)) return next;
  auto certificates = read_certificates(*entry, next_certificate_pem, PublicKeys::decode);
  if (!certificates) return pass_on(certificates);
  next.certificates = *std::move(certificates);
  if (!bring_leaf_forward(next.certificates, next.key.get())) {
    return fail(Error::Kind::invalid, entry->path_of(next_key_pem) + " does not belong to " +
                                          entry->path_of(next_certificate_pem));
  }
  sort_chain(next.certificates);
  return next;
}

Result<Content> read_entry_file(const Keyring& keyring, const std::string& label, const char* name,
                                Guard guard) {
  auto directory = open_directory(keyring.path());
  if (!directory) return pass_on(directory);
  auto entry = open_directory(*directory, label);
  if (!entry) return pass_on(entry);
  return read_file(*entry, name, guard);
}

}  // namespace gaiter::keyring
