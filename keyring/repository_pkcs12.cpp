// A PKCS#12 file as a keyring: its keys are personal entries, its other certificates
// those of CAs that are trusted, or of sites.
#include <openssl/x509v3.h>

#include <algorithm>

#include "keyring/errors.h"
#include "keyring/label.h"
#include "keyring/passphrase.h"
#include "keyring/pkcs12.h"
#include "keyring/repository.h"

namespace gaiter::keyring {
namespace {

// Another owner of the same object.
CertificatePtr share(const CertificatePtr& certificate) {
  X509_up_ref(certificate.get());
  return CertificatePtr(certificate.get());
}

KeyPtr share(const KeyPtr& key) {
  if (key != nullptr) EVP_PKEY_up_ref(key.get());
  return KeyPtr(key.get());
}

class Pkcs12Repository : public Repository {
 public:
  Pkcs12Repository(std::string path, std::vector<Pkcs12Item> items)
      : path_(std::move(path)), items_(std::move(items)) {
    for (const Pkcs12Item& item : items_) labels_.push_back(free_label(item));
  }

  const std::string& path() const override { return path_; }
  const std::string& default_label() const override { return no_label_; }

  Result<std::vector<std::string>> labels() const override {
    std::vector<std::string> sorted = labels_;
    std::ranges::sort(sorted);
    return sorted;
  }

  Result<EntryFiles> read(const std::string& label, Depth depth) const override {
    const auto at = std::ranges::find(labels_, label);
    if (at == labels_.end()) return fail(Error::Kind::not_found, path_ + " has no " + label);
    const Pkcs12Item& item = items_[static_cast<size_t>(at - labels_.begin())];
    EntryFiles files;
    files.file = path_;
    files.conf.usage = item.key != nullptr                                   ? Usage::personal
                       : X509_check_ca(item.certificates.front().get()) != 0 ? Usage::ca
                                                                             : Usage::site;
    files.conf.origin = path_;
    files.has_key = item.key != nullptr;
    for (const CertificatePtr& one : item.certificates) files.certificates.push_back(share(one));
    if (depth >= Depth::fit && item.key == nullptr) {
      return fail(Error::Kind::invalid, path_ + " holds no private key for \"" + label + "\"");
    }
    if (depth >= Depth::fit) files.key = share(item.key);
    return files;
  }

 private:
  // From the friendly name, else from the file's; numbered if it is taken.
  std::string free_label(const Pkcs12Item& item) const {
    std::string wanted = make_label(item.name);
    if (wanted.empty()) {
      const std::string file = path_.substr(path_.rfind('/') + 1);
      wanted = make_label(file.substr(0, file.rfind('.')));
    }
    if (wanted.empty()) wanted = "entry";
    std::string label = wanted;
    for (size_t number = 2; std::ranges::find(labels_, label) != labels_.end(); ++number) {
      const std::string suffix = "-" + std::to_string(number);
      label = wanted.substr(0, max_label_length - suffix.size()) + suffix;
    }
    return label;
  }

  std::string path_;
  std::string no_label_;
  std::vector<Pkcs12Item> items_;
  std::vector<std::string> labels_;  // of the items
};

}  // namespace

Result<std::unique_ptr<Repository>> open_pkcs12_repository(const std::string& path,
                                                           const AskPassphrase& ask) {
  const size_t slash = path.rfind('/');
  const auto directory = open_directory(slash == 0 ? "/" : path.substr(0, slash));
  if (!directory) return std::unexpected(directory.error());
  const auto content = read_file(*directory, path.substr(slash + 1).c_str(), Guard::read);
  if (!content) return std::unexpected(content.error());
  auto items = parse_pkcs12(content->view(), path, [&](const std::string& file) {
    return find_passphrase(file, "", ask);
  });
  if (!items) return pass_on(items);
  return std::make_unique<Pkcs12Repository>(path, *std::move(items));
}

}  // namespace gaiter::keyring
