#include <fmt/format.h>
#include <openssl/pem.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_files.h"
#include "cli/output.h"
#include "keyring/errors.h"
#include "keyring/format.h"
#include "keyring/pem.h"

namespace gaiter::cli {
namespace {

using keyring::Error;
using RequestPtr = std::unique_ptr<X509_REQ, OpenSslDeleter<X509_REQ_free>>;

// Null if it is no certificate signing request in PEM.
KeyPtr key_of_request(std::string_view pem) {
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const RequestPtr request(PEM_read_bio_X509_REQ(in.get(), nullptr, nullptr, nullptr));
  take_openssl_reason();
  return KeyPtr(request == nullptr ? nullptr : X509_REQ_get_pubkey(request.get()));
}

keyring::Result<KeyPtr> public_key_of(std::string_view text, const std::string& name) {
  if (KeyPtr key = key_of_request(text)) return key;
  const auto bundle = keyring::parse_bundle(text, name);
  if (!bundle) return std::unexpected(bundle.error());
  KeyPtr key(bundle->certificates.empty() ? nullptr
                                          : X509_get_pubkey(bundle->certificates[0].get()));
  if (key == nullptr) {
    return keyring::fail(Error::Kind::invalid,
                         name + " holds neither a certificate nor a signing request");
  }
  return key;
}

// The public key of an entry that waits for its certificate; null if it cannot be told.
KeyPtr key_of_pending(const keyring::Keyring& keyring, const std::string& label) {
  const auto text =
      read_input(fmt::format("{}/{}/{}", keyring.path(), label, keyring::request_pem));
  return text ? key_of_request(text->view()) : nullptr;
}

bool fits(const EVP_PKEY* one, const EVP_PKEY* other) {
  const bool same = one != nullptr && other != nullptr && EVP_PKEY_eq(one, other) == 1;
  take_openssl_reason();
  return same;
}

}  // namespace

int keyring_match(const std::string& path, const std::string& file, bool json) {
  const auto text = read_input(file);
  if (!text) return report(text.error());
  const auto wanted = public_key_of(text->view(), file);
  if (!wanted) return report(wanted.error());
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto labels = keyring->labels();
  if (!labels) return report(labels.error());
  std::vector<std::string> found;
  for (const std::string& label : *labels) {
    const auto entry = keyring->entry(label);
    const bool pending = !entry && entry.error().kind == Error::Kind::pending;
    const KeyPtr key(entry && entry->has_key ? X509_get_pubkey(entry->leaf.get()) : nullptr);
    if (fits(key.get(), wanted->get()) ||
        (pending && fits(key_of_pending(*keyring, label).get(), wanted->get()))) {
      found.push_back(label);
    }
  }
  if (json) {
    print_json(Object{{"file", printable(file)}, {"labels", found}});
  } else {
    for (const std::string& label : found) print(label + "\n");
    if (found.empty()) {
      say(printable(fmt::format("no key in {} belongs to {}", keyring->path(), file)));
    }
  }
  return found.empty() ? exit_attention : exit_ok;
}

}  // namespace gaiter::cli
