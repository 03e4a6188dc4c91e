#include "policy/read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/trusted_path.h"

namespace gaiter::policy {

using base::system_failure;

namespace {

std::unexpected<Error> failed(const base::PathError& why) {
  return std::unexpected(Error{why.path, 0, why.message});
}

}  // namespace

bool Directory::exists(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::expected<Directory, Error> Directory::open(const std::string& path) {
  auto directory = base::open_trusted_directory(path);
  if (!directory) return failed(directory.error());
  return Directory(path, directory->release());
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
  base::Descriptor again(openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::unique_ptr<DIR, int (*)(DIR*)> listing(again.fd < 0 ? nullptr : fdopendir(again.fd),
                                              closedir);
  if (!listing) return failed(system_failure(path_, "cannot be listed", errno));
  again.release();
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = readdir(listing.get()); errno = 0) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) return failed(system_failure(path_, "cannot be listed", errno));
  std::sort(names.begin(), names.end());
  return names;
}

std::expected<std::string, Error> Directory::read(const std::string& name) const {
  const std::string path = path_of(name);
  const auto file = base::open_trusted_file(fd_, path_, name, path);
  if (!file) return failed(file.error());

  // The file may grow while it is read: the bound is on what was read.
  std::string text;
  size_t used = 0;
  for (;;) {
    text.resize(used + 16384);
    const ssize_t got = ::read(file->fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(system_failure(path, "cannot be read", errno));
    used += static_cast<size_t>(got);
    if (used > max_file_size)
      return std::unexpected(Error{
          path, 0,
          "is larger than " + std::to_string(max_file_size >> 20) + " MiB; no policy needs that"});
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
