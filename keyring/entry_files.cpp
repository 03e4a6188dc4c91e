#include "keyring/entry_files.h"

#include "keyring/chain.h"
#include "keyring/errors.h"
#include "keyring/pem.h"

namespace gaiter::keyring {
namespace {

// As read_file(), but a file that is missing makes the entry invalid: that the
// entry itself is not there is another matter.
Result<Content> read_part(const Directory& entry, const char* name, Guard guard) {
  auto content = read_file(entry, name, guard);
  if (!content && content.error().kind == Error::Kind::not_found) {
    content.error().kind = Error::Kind::invalid;
  }
  return content;
}

Result<std::vector<CertificatePtr>> read_certificates(const Directory& entry) {
  const std::string path = entry.path_of(certificate_pem);
  auto content = read_part(entry, certificate_pem, Guard::write);
  if (!content) return pass_on(content);
  auto bundle = parse_bundle(content->view(), path);
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

Result<KeyPtr> read_key(const Directory& entry) {
  const std::string path = entry.path_of(key_pem);
  auto content = read_part(entry, key_pem, Guard::read);
  if (!content) return pass_on(content);
  auto bundle = parse_bundle(content->view(), path);
  if (!bundle) return pass_on(bundle);
  if (bundle->key == nullptr) return fail(Error::Kind::invalid, path + " holds no private key");
  return std::move(bundle->key);
}

Result<EntryFiles> read_opened(const Directory& entry, Depth depth) {
  EntryFiles files;
  const auto conf_text = read_part(entry, entry_conf, Guard::write);
  if (!conf_text) return std::unexpected(conf_text.error());
  auto conf = parse_entry_conf(conf_text->view(), entry.path_of(entry_conf));
  if (!conf) return pass_on(conf);
  files.conf = *std::move(conf);
  files.has_key = exists(entry, key_pem);
  files.is_pending = !exists(entry, certificate_pem) && exists(entry, next_key_pem);
  if (depth == Depth::conf) return files;
  if (files.is_pending) {
    return fail(Error::Kind::pending, entry.path + " has no certificate yet: let a CA sign " +
                                          entry.path_of(request_pem) +
                                          ", then: gaiter keyring receive LABEL FILE");
  }

  auto certificates = read_certificates(entry);
  if (!certificates) return pass_on(certificates);
  files.certificates = *std::move(certificates);
  if (depth == Depth::key) {
    if (!files.has_key) {
      return fail(Error::Kind::invalid, entry.path + " holds no private key (" + key_pem + ")");
    }
    auto key = read_key(entry);
    if (!key) return pass_on(key);
    files.key = *std::move(key);
  }
  // A certificate that has a key is found by it; a bundle of CAs has no leaf.
  if (files.key != nullptr || files.conf.usage != Usage::ca) {
    if (!bring_leaf_forward(files.certificates, files.key.get())) {
      return fail(Error::Kind::invalid,
                  entry.path_of(key_pem) + " does not belong to " + entry.path_of(certificate_pem));
    }
  }
  if (files.key != nullptr || files.conf.usage != Usage::ca) sort_chain(files.certificates);
  return files;
}

}  // namespace

Result<EntryFiles> read_entry(const Directory& keyring, const std::string& label, Depth depth) {
  for (int attempt = 0;; ++attempt) {
    auto entry = open_directory(keyring, label);
    if (!entry) return pass_on(entry);
    auto files = read_opened(*entry, depth);
    // If the directory was replaced or removed, its files may have gone while they
    // were read, so not even an error says anything about the entry.
    if (is_still(keyring, label, *entry) || attempt == 100) return files;
  }
}

}  // namespace gaiter::keyring
