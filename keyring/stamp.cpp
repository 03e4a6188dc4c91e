#include <fcntl.h>
#include <sys/stat.h>

#include "keyring/errors.h"
#include "keyring/files.h"
#include "keyring/format.h"
#include "keyring/keyring.h"
#include "keyring/label.h"

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

}  // namespace

Result<Stamp> stamp(const std::string& path) {
  auto directory = open_directory(path);
  if (!directory) return pass_on(directory);
  const auto names = list(*directory);
  if (!names) return std::unexpected(names.error());
  Mixer mixer;
  const int fd = directory->fd.get();
  mixer.add(fd, ".");
  mixer.add(fd, keyring_conf);
  for (const std::string& label : *names) {
    if (!check_label(label)) continue;
    for (const char* file : {entry_conf, certificate_pem, key_pem, ocsp_der, crl_pem}) {
      mixer.add(fd, (label + "/" + file).c_str());
    }
    if (mixer.stats() + 5 > max_stats) break;
  }
  return mixer.value();
}

}  // namespace gaiter::keyring
