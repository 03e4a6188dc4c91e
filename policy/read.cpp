#include "policy/read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace gaiter::policy {
namespace {

// Closes on every way out, a cancelled thread's included.
struct Descriptor {
  int fd;
  explicit Descriptor(int opened) : fd(opened) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  int release() { return std::exchange(fd, -1); }
};

Error failure(const std::string& path, const std::string& message) { return {path, 0, message}; }

Error system_failure(const std::string& path, const char* what, int error) {
  std::string message = what;
  message += ": ";
  message += strerrordesc_np(error);
  if (error == EACCES) message += " (for user " + std::to_string(geteuid()) + ")";
  return failure(path, message);
}

std::expected<void, Error> check_trusted(const std::string& path, const struct stat& status) {
  const uid_t user = geteuid();
  if (status.st_uid != 0 && status.st_uid != user) {
    std::string owners = user == 0 ? "root" : "root or user " + std::to_string(user);
    return std::unexpected(
        failure(path, "belongs to user " + std::to_string(status.st_uid) +
                          ", who could change the policy; it must belong to " + owners +
                          ": chown " + (user == 0 ? "root " : std::to_string(user) + " ") + path));
  }
  if (status.st_mode & (S_IWGRP | S_IWOTH)) {
    const char* whom = status.st_mode & S_IWOTH ? "everybody" : "its group";
    return std::unexpected(
        failure(path, std::string("can be written by ") + whom + ": chmod go-w " + path));
  }
  return {};
}

}  // namespace

bool Directory::exists(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::expected<Directory, Error> Directory::open(const std::string& path) {
  Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd < 0) return std::unexpected(system_failure(path, "cannot be opened", errno));
  struct stat status;
  if (fstat(directory.fd, &status) != 0)
    return std::unexpected(system_failure(path, "cannot be examined", errno));
  if (auto trusted = check_trusted(path, status); !trusted) return std::unexpected(trusted.error());
  return Directory(path, directory.release());
}

Directory::Directory(Directory&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

Directory::~Directory() {
  if (fd_ >= 0) close(fd_);
}

std::string Directory::path_of(const std::string& name) const {
  if (path_ == ".") return name;
  return path_.ends_with('/') ? path_ + name : path_ + "/" + name;
}

std::expected<std::vector<std::string>, Error> Directory::names() const {
  Descriptor again(openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::unique_ptr<DIR, int (*)(DIR*)> listing(again.fd < 0 ? nullptr : fdopendir(again.fd),
                                              closedir);
  if (!listing) return std::unexpected(system_failure(path_, "cannot be listed", errno));
  again.release();
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = readdir(listing.get()); errno = 0) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) return std::unexpected(system_failure(path_, "cannot be listed", errno));
  std::sort(names.begin(), names.end());
  return names;
}

std::expected<std::string, Error> Directory::read(const std::string& name) const {
  const std::string path = path_of(name);
  // O_NONBLOCK: a FIFO or a device in the file's place must not stop the program.
  Descriptor file(openat(fd_, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.fd < 0) return std::unexpected(system_failure(path, "cannot be opened", errno));
  struct stat status;
  if (fstat(file.fd, &status) != 0)
    return std::unexpected(system_failure(path, "cannot be examined", errno));
  if (!S_ISREG(status.st_mode)) return std::unexpected(failure(path, "is not a regular file"));
  if (auto trusted = check_trusted(path, status); !trusted) return std::unexpected(trusted.error());

  // The file may grow while it is read: the bound is on what was read.
  std::string text;
  size_t used = 0;
  for (;;) {
    text.resize(used + 16384);
    const ssize_t got = ::read(file.fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(system_failure(path, "cannot be read", errno));
    used += static_cast<size_t>(got);
    if (used > max_file_size)
      return std::unexpected(failure(path, "is larger than " + std::to_string(max_file_size >> 20) +
                                               " MiB; no policy needs that"));
    if (got == 0) break;
  }
  text.resize(used);
  return text;
}

std::expected<std::string, Error> read_file(const std::string& path) {
  const size_t slash = path.rfind('/');
  const bool bare = slash == std::string::npos;
  auto directory = Directory::open(bare ? "." : path.substr(0, slash == 0 ? 1 : slash));
  if (!directory) return std::unexpected(directory.error());
  return directory->read(bare ? path : path.substr(slash + 1));
}

}  // namespace gaiter::policy
