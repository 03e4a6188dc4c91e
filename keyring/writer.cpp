#include "keyring/writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "keyring/errors.h"
#include "keyring/label.h"
#include "keyring/pem.h"

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
  return made;
}

Result<void> check_free(const Directory& directory, const std::string& label) {
  if (!exists(directory, label.c_str())) return {};
  return fail(Error::Kind::exists, directory.path + " has an entry \"" + label + "\" already");
}

Result<void> write_files(const Directory& directory, const std::vector<FileChange>& files) {
  for (const FileChange& file : files) {
    if (!file.content) continue;
    auto written = write_new_file(directory, file.name, *file.content, file.mode);
    if (!written) return written;
  }
  return {};
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
    if (!content) return pass_on(content);
    auto written = write_new_file(to, name, content->view(), status.st_mode & 0777);
    if (!written) return written;
  }
  return {};
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
