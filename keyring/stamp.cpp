#include <fcntl.h>
#include <sys/stat.h>

#include <iterator>

#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/keyring.h"
#include "keyring/label.h"
#include "keyring/repository.h"

namespace gaiter::keyring {
namespace {

constexpr size_t max_stats = 1000;

// FNV-1a over what stat(2) says of files.
class Mixer {
 public:
  // A file that is not there counts too.
  void add(int directory, const char* name) {
    struct stat status = {};
    fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW);
    mix(status.st_dev);
    mix(status.st_ino);
    mix(static_cast<uint64_t>(status.st_size));
    mix(status.st_mode);
    mix(status.st_uid);
    mix(static_cast<uint64_t>(status.st_mtim.tv_sec));
    mix(static_cast<uint64_t>(status.st_mtim.tv_nsec));
    mix(static_cast<uint64_t>(status.st_ctim.tv_sec));
    mix(static_cast<uint64_t>(status.st_ctim.tv_nsec));
    ++stats_;
  }
  size_t stats() const { return stats_; }
  Stamp value() const { return value_; }

 private:
  void mix(uint64_t number) {
    for (int byte = 0; byte < 8; ++byte) {
      value_ = (value_ ^ (number & 0xff)) * 0x100000001b3;
      number >>= 8;
    }
  }
  uint64_t value_ = 0xcbf29ce484222325;
  size_t stats_ = 0;
};

constexpr const char* entry_files[] = {entry_conf, certificate_pem, key_pem, ocsp_der, crl_pem};

// Where the entry really is, or "".
std::string connection_of(const Directory& keyring, const std::string& label) {
  const auto files = read_entry(keyring, label, Depth::conf, nullptr);
  return files ? files->conf.connected : std::string();
}

void add_entry(Mixer& mixer, const Directory& keyring, const std::string& label) {
  const int fd = keyring.fd.get();
  for (const char* file : entry_files) mixer.add(fd, (label + "/" + file).c_str());
  if (exists(keyring, (label + "/" + certificate_pem).c_str())) return;
  const std::string elsewhere = connection_of(keyring, label);
  if (elsewhere.empty() || elsewhere == system_repository) return;
  for (const char* file : entry_files) mixer.add(AT_FDCWD, (elsewhere + "/" + file).c_str());
}

}  // namespace

Result<Stamp> stamp(const std::string& path) {
  const auto name = parse_repository_name(path);
  if (!name) return std::unexpected(name.error());
  Mixer mixer;
  if (name->kind != RepositoryKind::directory) {
    // The system's bundle is replaced by its packages, at most a few times a year.
    if (name->kind == RepositoryKind::pkcs12) mixer.add(AT_FDCWD, name->path.c_str());
    return mixer.value();
  }
  auto directory = open_directory(name->path);
  if (!directory) return pass_on(directory);
  const auto names = list(*directory);
  if (!names) return std::unexpected(names.error());
  mixer.add(directory->fd.get(), ".");
  mixer.add(directory->fd.get(), keyring_conf);
  for (const std::string& label : *names) {
    if (mixer.stats() + 2 * std::size(entry_files) > max_stats) break;
    if (check_label(label)) add_entry(mixer, *directory, label);
  }
  return mixer.value();
}

}  // namespace gaiter::keyring
