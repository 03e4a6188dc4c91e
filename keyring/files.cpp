#include "keyring/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include "base/trusted_path.h"
#include "keyring/errors.h"

namespace gaiter::keyring {
namespace {

std::string octal(mode_t mode) {
  std::string digits;
  for (int shift = 9; shift >= 0; shift -= 3) {
    digits += static_cast<char>('0' + ((mode >> shift) & 7));
  }
  return digits;
}

// `what` is "key file /x/key.pem"; `forbidden` are permission bits.
Result<void> check_guard(const struct stat& status, const std::string& path, mode_t forbidden) {
  if (status.st_uid != 0 && status.st_uid != geteuid()) {
    return fail(Error::Kind::insecure, path + " belongs to user " + std::to_string(status.st_uid) +
                                           ", not to root or user " + std::to_string(geteuid()) +
                                           "; mend it with: chown " + std::to_string(geteuid()) +
                                           " " + path);
  }
  if ((status.st_mode & forbidden) != 0) {
    const bool secret = (forbidden & 0044) != 0;
    return fail(Error::Kind::insecure, path + " has mode " + octal(status.st_mode) +
                                           " and can be " + (secret ? "used" : "changed") +
                                           " by group or others; mend it with: chmod " +
                                           (secret ? "600 " : "go-w ") + path);
  }
  return {};
}

}  // namespace

Content::~Content() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<std::string> absolute_path(const std::string& path) {
  if (path.empty()) return fail(Error::Kind::not_found, "the path of the keyring is empty");
  if (path.starts_with('/')) return path;
  char here[PATH_MAX];
  if (getcwd(here, sizeof here) == nullptr) {
    return fail_errno(errno, "cannot tell the working directory");
  }
  return std::string(here) + "/" + path;
}

Result<Directory> open_directory(const std::string& path) {
  auto opened = base::open_trusted_directory(path);
  if (opened) return Directory{Fd(opened->release()), path};
  const base::PathError& why = opened.error();
  if (why.number != 0) return fail_errno(why.number, "cannot open the directory " + path);
  return fail(Error::Kind::insecure, why.path + " " + why.message);
}

Result<Directory> open_directory(const Directory& parent, const std::string& name) {
  Directory directory{
      Fd(openat(parent.fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      parent.path_of(name)};
  if (!directory.fd) return fail_errno(errno, "cannot open the directory " + directory.path);
  struct stat status;
  if (fstat(directory.fd.get(), &status) != 0) {
    return fail_errno(errno, "cannot stat " + directory.path);
  }
  if (auto good = check_guard(status, directory.path, 0022); !good) return pass_on(good);
  return directory;
}

Result<Content> read_file(const Directory& directory, const char* name, Guard guard) {
  const std::string path = directory.path_of(name);
  // O_NONBLOCK: a FIFO must be refused, not waited for.
  const Fd fd(
      openat(directory.fd.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd && errno == ELOOP) {
    return fail(Error::Kind::insecure,
                path + " is a symbolic link; a keyring holds the files themselves");
  }
  if (!fd) return fail_errno(errno, "cannot open " + path);

  struct stat status;
  if (fstat(fd.get(), &status) != 0) return fail_errno(errno, "cannot stat " + path);
  if (!S_ISREG(status.st_mode)) {
    return fail(Error::Kind::insecure, path + " is not a regular file");
  }
  if (auto good = check_guard(status, path, guard == Guard::read ? 0077 : 0022); !good) {
    return pass_on(good);
  }
  if (status.st_size > static_cast<off_t>(max_file_size)) {
    return fail(Error::Kind::invalid, path + " is longer than 1 MiB");
  }

  Content content(std::vector<char>(static_cast<size_t>(status.st_size)));
  char* at = const_cast<char*>(content.view().data());
  for (size_t left = content.view().size(); left != 0;) {
    const ssize_t count = read(fd.get(), at, left);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot read " + path);
    if (count == 0) return fail(Error::Kind::unreadable, path + " changed while it was read");
    at += count;
    left -= static_cast<size_t>(count);
  }
  return content;
}

bool exists(const Directory& directory, const char* name) {
  struct stat status;
  return fstatat(directory.fd.get(), name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

bool is_directory(const Directory& parent, const std::string& name) {
  struct stat status;
  return fstatat(parent.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(status.st_mode);
}

bool is_still(const Directory& parent, const std::string& name, const Directory& opened) {
  struct stat now, then;
  return fstatat(parent.fd.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstat(opened.fd.get(), &then) == 0 && now.st_dev == then.st_dev &&
         now.st_ino == then.st_ino;
}

Result<std::vector<std::string>> list(const Directory& directory) {
  // A descriptor of its own: closedir() closes it, and the offset is fresh.
  const int fd = openat(directory.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto close_stream = [](DIR* open) { closedir(open); };
  const std::unique_ptr<DIR, decltype(close_stream)> stream(fd >= 0 ? fdopendir(fd) : nullptr);
  if (stream == nullptr) {
    const int number = errno;
    if (fd >= 0) close(fd);
    return fail_errno(number, "cannot list " + directory.path);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return fail_errno(errno, "cannot list " + directory.path);
  std::ranges::sort(names);
  return names;
}

Result<void> make_directories(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string piece = path.substr(0, slash);
    if (mkdir(piece.c_str(), directory_mode) != 0 && errno != EEXIST) {
      // Of a read-only or foreign parent only what is missing below it matters.
      const int number = errno;
      struct stat status;
      if (stat(piece.c_str(), &status) != 0) return fail_errno(number, "cannot make " + piece);
    }
    if (slash == path.npos) return {};
  }
}

Result<Directory> make_directory(const Directory& parent, const std::string& name) {
  if (mkdirat(parent.fd.get(), name.c_str(), directory_mode) != 0) {
    return fail_errno(errno, "cannot make " + parent.path_of(name));
  }
  auto directory = open_directory(parent, name);
  if (directory && fchmod(directory->fd.get(), directory_mode) != 0) {
    return fail_errno(errno, "cannot set the mode of " + directory->path);
  }
  return directory;
}

Result<void> write_new_file(const Directory& directory, const std::string& name,
                            std::string_view content, mode_t mode) {
  const std::string path = directory.path_of(name);
  const Fd fd(openat(directory.fd.get(), name.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, secret_mode));
  if (!fd) return fail_errno(errno, "cannot make " + path);
  while (!content.empty()) {
    const ssize_t count = write(fd.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot write " + path);
    content.remove_prefix(static_cast<size_t>(count));
  }
  if (fchmod(fd.get(), mode) != 0) return fail_errno(errno, "cannot set the mode of " + path);
  if (fsync(fd.get()) != 0) return fail_errno(errno, "cannot write " + path);
  return {};
}

Result<void> sync(const Directory& directory) {
  // Some file systems cannot sync a directory and say EINVAL: nothing to be done.
  if (fsync(directory.fd.get()) != 0 && errno != EINVAL) {
    return fail_errno(errno, "cannot sync " + directory.path);
  }
  return {};
}

void discard(const Directory& parent, const std::string& name) {
  if (unlinkat(parent.fd.get(), name.c_str(), 0) == 0) return;
  const Directory directory{
      Fd(openat(parent.fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      parent.path_of(name)};
  if (!directory.fd) return;
  if (const auto names = list(directory)) {
    for (const std::string& file : *names) unlinkat(directory.fd.get(), file.c_str(), 0);
  }
  unlinkat(parent.fd.get(), name.c_str(), AT_REMOVEDIR);
}

}  // namespace gaiter::keyring
