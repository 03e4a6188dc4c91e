#include "keyring/writer.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstdio>

#include "keyring/errors.h"
#include "keyring/label.h"
#include "keyring/pem.h"

namespace gaiter::keyring {
namespace {

constexpr const char* temporary_entry = ".tmp-entry";
constexpr const char* temporary_conf = ".tmp-conf";

void sweep(const Directory& directory) {
  const auto names = list(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    if (name.starts_with(temporary_prefix)) discard(directory, name);
  }
}

Result<void> write_entry(const Directory& directory, const NewEntry& entry) {
  auto pem = certificates_to_pem(entry.certificates);
  if (!pem) return pass_on(pem);
  auto made = write_new_file(directory, certificate_pem, *pem, public_mode);
  if (made && entry.key != nullptr) {
    auto key = key_to_pem(entry.key);
    if (!key) return pass_on(key);
    char* text = nullptr;
    const long length = BIO_get_mem_data(key->get(), &text);
    made = write_new_file(directory, key_pem, {text, static_cast<size_t>(length)}, secret_mode);
  }
  if (made) made = write_new_file(directory, entry_conf, print(entry.conf), public_mode);
  return made ? sync(directory) : std::move(made);
}

}  // namespace

Result<Writer> Writer::lock(Directory directory) {
  const std::string path = directory.path_of(lock_name);
  Fd fd(openat(directory.fd.get(), lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
               secret_mode));
  if (!fd) return fail_errno(errno, "cannot change the keyring; cannot open " + path);
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(errno, "cannot lock " + path);
  }
  sweep(directory);
  return Writer(std::move(directory), std::move(fd));
}

Result<Writer> Writer::lock(const std::string& path) {
  auto directory = open_directory(path);
  if (!directory) return pass_on(directory);
  return lock(*std::move(directory));
}

Result<Writer> Writer::lock_new(const std::string& path) {
  if (auto made = make_directories(path); !made) return pass_on(made);
  auto directory = open_directory(path);
  if (!directory) return pass_on(directory);
  const auto names = list(*directory);
  if (!names) return std::unexpected(names.error());
  // Looked for only now: whoever makes a keyring begins with the lock file.
  if (!names->empty() && !exists(*directory, lock_name)) {
    return fail(Error::Kind::invalid, path + " is not empty, and is not a keyring");
  }
  return lock(*std::move(directory));
}

Result<void> Writer::put(const std::string& label, const NewEntry& entry, bool replace) {
  if (auto good = check_label(label); !good) return good;
  const bool taken = exists(directory_, label.c_str());
  if (taken && !replace) {
    return fail(Error::Kind::exists, directory_.path + " has an entry \"" + label + "\" already");
  }
  auto temporary = make_directory(directory_, temporary_entry);
  if (!temporary) return pass_on(temporary);
  auto written = write_entry(*temporary, entry);
  const int fd = directory_.fd.get();
  if (written &&
      renameat2(fd, temporary_entry, fd, label.c_str(), taken ? RENAME_EXCHANGE : 0) != 0) {
    written = fail_errno(errno, "cannot put " + directory_.path_of(label) + " into place");
  }
  if (written) written = sync(directory_);
  // The old entry after an exchange, the new one after a failure. Either way it
  // goes only when the label's place is safely on the disk.
  discard(directory_, temporary_entry);
  return written;
}

Result<void> Writer::put_conf(const KeyringConf& conf) {
  auto written = write_new_file(directory_, temporary_conf, print(conf), public_mode);
  const int fd = directory_.fd.get();
  if (written && renameat(fd, temporary_conf, fd, keyring_conf) != 0) {
    written = fail_errno(errno, "cannot put " + directory_.path_of(keyring_conf) + " into place");
  }
  if (written) written = sync(directory_);
  discard(directory_, temporary_conf);
  return written;
}

}  // namespace gaiter::keyring
