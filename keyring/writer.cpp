#include "keyring/writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "keyring/encrypted_key.h"
#include "keyring/entry_files.h"
#include "keyring/errors.h"
#include "keyring/former_keys.h"
#include "keyring/label.h"
#include "keyring/passphrase.h"
#include "keyring/pem.h"
#include "keyring/repository.h"

namespace gaiter::keyring {
namespace {

constexpr const char* temporary_entry = ".tmp-entry";
constexpr const char* temporary_file = ".tmp-file";

void sweep(const Directory& directory) {
  const auto names = list(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    if (name.starts_with(temporary_prefix)) discard(directory, name);
  }
}

bool is_key_file(std::string_view name) {
  return name == key_pem || name == next_key_pem || is_former_key_file(name);
}

Result<void> check_free(const Directory& directory, const std::string& label) {
  if (!exists(directory, label.c_str())) return {};
  return fail(Error::Kind::exists, directory.path + " has an entry \"" + label + "\" already");
}

// Copies the files that are not among the changed. Bytes, not links: some file
// systems have none, and a link to another user's file may be refused.
Result<void> copy_others(const Directory& from, const Directory& to,
                         const std::vector<FileChange>& changed) {
  auto names = list(from);
  if (!names) return pass_on(names);
  for (const std::string& name : *names) {
    if (std::ranges::find(changed, name, &FileChange::name) != changed.end()) continue;
    struct stat status;
    if (fstatat(from.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return fail_errno(errno, "cannot stat " + from.path_of(name));
    }
    auto content = read_file(from, name.c_str(), Guard::write);
    if (!content) {
      content.error().message += ": move it out of the entry";
      return pass_on(content);
    }
    auto written = write_new_file(to, name, content->view(), status.st_mode & 0777);
    if (!written) return written;
  }
  return {};
}

}  // namespace

Result<Writer> Writer::lock(Directory directory, AskPassphrase ask) {
  const std::string path = directory.path_of(lock_name);
  Fd fd(openat(directory.fd.get(), lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
               secret_mode));
  if (!fd) return fail_errno(errno, "cannot change the keyring; cannot open " + path);
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(errno, "cannot lock " + path);
  }
  sweep(directory);
  return Writer(std::move(directory), std::move(fd), std::move(ask));
}

Result<Writer> Writer::lock(const std::string& path, AskPassphrase ask) {
  if (auto good = check_writable(path); !good) return pass_on(good);
  auto directory = open_directory(path);
  if (!directory) return pass_on(directory);
  return lock(*std::move(directory), std::move(ask));
}

Result<Writer> Writer::lock_new(const std::string& path) {
  if (auto good = check_writable(path); !good) return pass_on(good);
  if (auto made = make_directories(path); !made) return pass_on(made);
  auto directory = open_directory(path);
  if (!directory) return pass_on(directory);
  const auto names = list(*directory);
  if (!names) return std::unexpected(names.error());
  // Looked for only now: whoever makes a keyring begins with the lock file. A copy of one may
  // have come without.
  if (!names->empty() && !exists(*directory, lock_name) && !exists(*directory, keyring_conf)) {
    return fail(Error::Kind::invalid, path + " is not empty, and is not a keyring");
  }
  return lock(*std::move(directory), nullptr);
}

Result<KeyringConf> Writer::conf() const {
  auto conf = read_keyring_conf(directory_);
  if (!conf && conf.error().kind == Error::Kind::not_found) return KeyringConf{};
  return conf;
}

Result<void> Writer::write_key(const Directory& directory, const std::string& name,
                               const EVP_PKEY* key) const {
  auto conf = this->conf();
  if (!conf) return pass_on(conf);
  auto pem = [&]() -> Result<BioPtr> {
    if (!conf->encrypted) return key_to_pem(key);
    const auto passphrase =
        find_passphrase(directory_.path + " (a new key)", conf->passphrase_file, ask_);
    if (!passphrase) return std::unexpected(passphrase.error());
    return key_to_encrypted_pem(key, passphrase->view());
  }();
  if (!pem) return pass_on(pem);
  return write_new_file(directory, name, contents(*pem), secret_mode);
}

Result<void> Writer::write_entry(const Directory& directory, const NewEntry& entry) const {
  // A connected entry has neither.
  if (!entry.certificates.empty()) {
    auto pem = certificates_to_pem(entry.certificates);
    if (!pem) return pass_on(pem);
    auto made = write_new_file(directory, certificate_pem, *pem, public_mode);
    if (!made) return made;
  }
  if (entry.key != nullptr) {
    if (auto made = write_key(directory, key_pem, entry.key); !made) return made;
  }
  return write_new_file(directory, entry_conf, print(entry.conf), public_mode);
}

Result<void> Writer::write_files(const Directory& directory,
                                 const std::vector<FileChange>& files) const {
  for (const FileChange& file : files) {
    if (!file.content) continue;
    auto written = [&]() -> Result<void> {
      if (!is_key_file(file.name) || file.content->contains(encrypted_key_mark)) {
        return write_new_file(directory, file.name, *file.content, file.mode);
      }
      auto bundle = parse_bundle(*file.content, directory_.path_of(file.name));
      if (!bundle) return pass_on(bundle);
      return write_key(directory, file.name, bundle->key.get());
    }();
    if (!written) return written;
  }
  return {};
}

Result<void> Writer::put_built(const std::string& label,
                               const std::function<Result<void>(const Directory&)>& fill) {
  auto temporary = make_directory(directory_, temporary_entry);
  if (!temporary) return pass_on(temporary);
  auto written = fill(*temporary);
  if (written) written = sync(*temporary);
  const int fd = directory_.fd.get();
  const unsigned exchange = exists(directory_, label.c_str()) ? RENAME_EXCHANGE : 0;
  if (written && renameat2(fd, temporary_entry, fd, label.c_str(), exchange) != 0) {
    written = fail_errno(errno, "cannot put " + directory_.path_of(label) + " into place");
  }
  if (written) written = sync(directory_);
  // The old entry after an exchange, the new one after a failure. Either way it
  // goes only when the label's place is safely on the disk.
  discard(directory_, temporary_entry);
  return written;
}

Result<void> Writer::put(const std::string& label, const NewEntry& entry, bool replace) {
  if (auto good = check_label(label); !good) return good;
  if (!replace) {
    if (auto free = check_free(directory_, label); !free) return free;
  }
  return put_built(label,
                   [&](const Directory& directory) { return write_entry(directory, entry); });
}

Result<void> Writer::add(const std::string& label, const std::vector<FileChange>& files) {
  if (auto good = check_label(label); !good) return good;
  if (auto free = check_free(directory_, label); !free) return free;
  return put_built(label,
                   [&](const Directory& directory) { return write_files(directory, files); });
}

Result<void> Writer::change(const std::string& label, const std::vector<FileChange>& files) {
  if (auto good = check_label(label); !good) return good;
  auto old = open_directory(directory_, label);
  if (!old) return pass_on(old);
  return put_built(label, [&](const Directory& directory) {
    auto copied = copy_others(*old, directory, files);
    return copied ? write_files(directory, files) : std::move(copied);
  });
}

Result<void> Writer::rename(const std::string& from, const std::string& to) {
  if (auto good = check_label(to); !good) return good;
  if (auto free = check_free(directory_, to); !free) return free;
  auto conf = this->conf();
  if (!conf) return pass_on(conf);
  if (conf->default_label != from) {
    const int fd = directory_.fd.get();
    if (renameat2(fd, from.c_str(), fd, to.c_str(), RENAME_NOREPLACE) != 0) {
      return fail_errno(errno, "cannot rename " + directory_.path_of(from));
    }
    return sync(directory_);
  }
  // keyring.conf names it: it must be there under either label while that changes.
  auto old = open_directory(directory_, from);
  if (!old) return pass_on(old);
  auto copied =
      put_built(to, [&](const Directory& directory) { return copy_others(*old, directory, {}); });
  if (!copied) return copied;
  conf->default_label = to;
  if (auto written = put_conf(*conf); !written) {
    static_cast<void>(remove(to));
    return written;
  }
  return remove(from);
}

Result<void> Writer::remove(const std::string& label) {
  auto conf = this->conf();
  if (!conf) return pass_on(conf);
  if (conf->default_label == label) {
    conf->default_label.clear();
    if (auto written = put_conf(*conf); !written) return written;
  }
  const int fd = directory_.fd.get();
  if (renameat2(fd, label.c_str(), fd, temporary_entry, RENAME_NOREPLACE) != 0) {
    return fail_errno(errno, "cannot remove " + directory_.path_of(label));
  }
  auto removed = sync(directory_);
  discard(directory_, temporary_entry);
  return removed;
}

Result<void> Writer::put_conf(const KeyringConf& conf) {
  return put_file(keyring_conf, print(conf), public_mode);
}

Result<void> Writer::put_file(const std::string& name, std::string_view content, mode_t mode) {
  auto written = write_new_file(directory_, temporary_file, content, mode);
  const int fd = directory_.fd.get();
  if (written && renameat(fd, temporary_file, fd, name.c_str()) != 0) {
    written = fail_errno(errno, "cannot put " + directory_.path_of(name) + " into place");
  }
  if (written) written = sync(directory_);
  discard(directory_, temporary_file);
  return written;
}

}  // namespace gaiter::keyring
