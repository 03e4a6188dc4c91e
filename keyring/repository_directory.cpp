// A keyring that is a directory (keyring/FORMAT.md).
#include "keyring/errors.h"
#include "keyring/label.h"
#include "keyring/passphrase.h"
#include "keyring/repository.h"

namespace gaiter::keyring {
namespace {

class DirectoryRepository : public Repository {
 public:
  static Result<std::unique_ptr<DirectoryRepository>> open(const std::string& path,
                                                           const AskPassphrase& ask);
  DirectoryRepository(Directory directory, KeyringConf conf, const AskPassphrase& ask)
      : directory_(std::move(directory)), conf_(std::move(conf)), ask_(ask) {}

  const std::string& path() const override { return directory_.path; }
  const std::string& default_label() const override { return conf_.default_label; }

  Result<std::vector<std::string>> labels() const override {
    auto names = list(directory_);
    if (!names) return names;
    std::erase_if(*names, [&](const std::string& name) {
      return !check_label(name) || !is_directory(directory_, name);
    });
    return names;
  }

  Result<EntryFiles> read(const std::string& label, Depth depth) const override {
    auto files = read_own(label, depth);
    if (!files || files->conf.connected.empty()) return files;
    auto shared = read_shared(files->conf.connected, depth);
    if (!shared) {
      // The entry itself is there.
      const Error::Kind kind = shared.error().kind == Error::Kind::not_found ? Error::Kind::invalid
                                                                             : shared.error().kind;
      return fail(kind, directory_.path_of(label) + " is connected to " + files->conf.connected +
                            ": " + shared.error().message);
    }
    // Whoever distrusts an entry distrusts it everywhere.
    files->conf.trusted = files->conf.trusted && shared->conf.trusted;
    // And what is trusted for itself alone there is so here.
    if (shared->conf.usage == Usage::site && files->conf.usage == Usage::ca)
      files->conf.usage = Usage::site;
    shared->conf = std::move(files->conf);
    return shared;
  }

 private:
  // What is in the entry's own directory.
  Result<EntryFiles> read_own(const std::string& label, Depth depth) const {
    return read_entry(directory_, label, depth, [&](const std::string& file) {
      return find_passphrase(file, conf_.passphrase_file, ask_);
    });
  }

  // The entry of another keyring. It is read with the same care as that keyring's own
  // reader takes, and must be there in person: so there are no circles.
  Result<EntryFiles> read_shared(const std::string& path, Depth depth) const {
    if (path == system_repository) {
      const auto system = open_system_repository();
      if (!system) return std::unexpected(system.error());
      return (*system)->read(system_label, depth);
    }
    const size_t slash = path.rfind('/');
    auto other = open(path.substr(0, slash), ask_);
    if (!other) return pass_on(other);
    auto files = (*other)->read_own(path.substr(slash + 1), depth);
    if (files && !files->conf.connected.empty()) {
      return fail(Error::Kind::invalid,
                  "that is itself connected to " + files->conf.connected + "; connect to that");
    }
    return files;
  }

  Directory directory_;
  KeyringConf conf_;
  AskPassphrase ask_;
};

Result<std::unique_ptr<DirectoryRepository>> DirectoryRepository::open(const std::string& path,
                                                                       const AskPassphrase& ask) {
  auto directory = open_directory(path);
  if (!directory) {
    if (directory.error().kind == Error::Kind::not_found) {
      directory.error().message = "there is no keyring: " + directory.error().message;
    }
    return pass_on(directory);
  }
  auto conf = read_keyring_conf(*directory);
  if (!conf) {
    if (conf.error().kind != Error::Kind::not_found) return pass_on(conf);
    return fail(Error::Kind::not_found, path + " is not a keyring: it has no " + keyring_conf);
  }
  return std::make_unique<DirectoryRepository>(*std::move(directory), *std::move(conf), ask);
}

}  // namespace

Result<std::unique_ptr<Repository>> open_directory_repository(const std::string& path,
                                                              const AskPassphrase& ask) {
  auto opened = DirectoryRepository::open(path, ask);
  if (!opened) return pass_on(opened);
  return *std::move(opened);
}

}  // namespace gaiter::keyring
