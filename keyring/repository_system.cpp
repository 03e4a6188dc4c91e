// The CAs that the system trusts, as a keyring of one `ca` entry.
#include <sys/stat.h>

#include "keyring/errors.h"
#include "keyring/label.h"
#include "keyring/pem.h"
#include "keyring/repository.h"

namespace gaiter::keyring {
namespace {

// Where distributions keep their bundle: Debian and Alpine, Fedora, openSUSE, the BSDs.
constexpr const char* bundles[] = {"/etc/ssl/certs/ca-certificates.crt",
                                   "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                   "/etc/ssl/cert.pem"};

class SystemRepository : public Repository {
 public:
  explicit SystemRepository(const char* bundle) : bundle_(bundle) {}

  const std::string& path() const override { return path_; }
  const std::string& default_label() const override { return no_label_; }
  Result<std::vector<std::string>> labels() const override {
    return std::vector<std::string>{system_label};
  }

  Result<EntryFiles> read(const std::string& label, Depth depth) const override {
    if (label != system_label) return fail(Error::Kind::not_found, path_ + " has no " + label);
    EntryFiles files;
    files.conf = {.usage = Usage::ca, .trusted = true, .origin = bundle_, .connected = {}};
    files.file = bundle_;
    if (depth == Depth::conf) return files;
    if (depth >= Depth::fit) {
      return fail(Error::Kind::invalid, path_ + " holds certificates of CAs, and no key");
    }
    const size_t slash = bundle_.rfind('/');
    const auto directory = open_directory(bundle_.substr(0, slash));
    if (!directory) return std::unexpected(directory.error());
    const auto content = read_file(*directory, bundle_.substr(slash + 1).c_str(), Guard::write);
    if (!content) return std::unexpected(content.error());
    auto bundle = parse_bundle(content->view(), bundle_);
    if (!bundle) return pass_on(bundle);
    files.certificates = std::move(bundle->certificates);
    return files;
  }

 private:
  std::string bundle_;
  std::string path_ = system_repository;
  std::string no_label_;
};

}  // namespace

Result<std::unique_ptr<Repository>> open_system_repository() {
  std::string tried;
  for (const char* bundle : bundles) {
    struct stat status;
    if (stat(bundle, &status) == 0) return std::make_unique<SystemRepository>(bundle);
    tried += std::string(tried.empty() ? "" : ", ") + bundle;
  }
  return fail(Error::Kind::not_found, "this system has no bundle of CAs (looked for " + tried +
                                          "); install the package ca-certificates");
}

}  // namespace gaiter::keyring
