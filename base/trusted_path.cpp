#include "base/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include <deque>

namespace gaiter::policy {
namespace {

constexpr int max_links = 40;  // as the kernel's, path_resolution(7)

Error failure(const std::string& path, const std::string& message) { return {path, 0, message}; }

std::expected<void, Error> check_owner(const std::string& path, const struct stat& status) {
  const uid_t user = geteuid();
  if (status.st_uid == 0 || status.st_uid == user) return {};
  const std::string owners = user == 0 ? "root" : "root or user " + std::to_string(user);
  return std::unexpected(
      failure(path, "belongs to user " + std::to_string(status.st_uid) +
                        ", who could change the policy; it must belong to " + owners + ": chown " +
                        (S_ISLNK(status.st_mode) ? "-h " : "") +
                        (user == 0 ? "root " : std::to_string(user) + " ") + path));
}

std::expected<void, Error> check_trusted(const std::string& path, const struct stat& status,
                                         bool may_be_sticky) {
  if (auto owned = check_owner(path, status); !owned) return owned;
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  if (may_be_sticky && (status.st_mode & S_ISVTX)) return {};
  const char* whom = status.st_mode & S_IWOTH ? "everybody" : "its group";
  return std::unexpected(
      failure(path, std::string("can be written by ") + whom + ": chmod go-w " + path));
}

std::expected<std::string, Error> read_link(int directory, const std::string& name,
                                            const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = readlinkat(directory, name.c_str(), target, sizeof target);
  if (length < 0) return std::unexpected(system_failure(path, "cannot be read", errno));
  return std::string(target, static_cast<size_t>(length));
}

std::string join(const std::string& folder, const std::string& name) {
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

// One way from "/" to a directory.
class Walk {
 public:
  explicit Walk(const std::string& path) : path_(path) {}

  std::expected<Descriptor, Error> run() {
    if (auto begun = begin(); !begun) return std::unexpected(begun.error());
    while (!ahead_.empty()) {
      const std::string name = std::move(ahead_.front());
      ahead_.pop_front();
      if (auto stepped = step(name); !stepped) return std::unexpected(stepped.error());
    }
    // Where it ended with "." or "..", only a place was opened.
    Descriptor readable(openat(here_.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (is_place_ && readable.fd < 0) return std::unexpected(system_error("cannot be opened"));
    Descriptor& end = is_place_ ? readable : here_;
    struct stat status;
    if (fstat(end.fd, &status) != 0) return std::unexpected(system_error("cannot be examined"));
    if (auto trusted = check_trusted(path_, status, false); !trusted)
      return std::unexpected(trusted.error());
    return Descriptor(std::move(end));
  }

 private:
  Error system_error(const char* what) { return system_failure(path_, what, errno); }

  // Puts the names of `path` before those that are ahead.
  void lead(std::string_view path) {
    std::deque<std::string> names;
    while (!path.empty()) {
      const std::string_view name = path.substr(0, path.find('/'));
      if (!name.empty() && name != ".") names.emplace_back(name);
      path.remove_prefix(std::min(name.size() + 1, path.size()));
    }
    ahead_.insert(ahead_.begin(), names.begin(), names.end());
  }

  std::expected<void, Error> begin() {
    lead(path_);
    if (!path_.starts_with('/')) {
      char folder[PATH_MAX];
      if (getcwd(folder, sizeof folder) == nullptr)
        return std::unexpected(system_error("cannot be opened"));
      lead(folder);
    }
    return to_root();
  }

  std::expected<void, Error> to_root() {
    here_ = Descriptor(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    name_ = "/";
    is_place_ = true;
    return check_here();
  }

  // Of a directory on the way.
  std::expected<void, Error> check_here() {
    struct stat status;
    if (here_.fd < 0 || fstat(here_.fd, &status) != 0)
      return std::unexpected(system_error("cannot be opened"));
    return check_trusted(name_, status, true);
  }

  std::expected<void, Error> step(const std::string& name) {
    const std::string next = join(name_, name);
    struct stat status;
    if (fstatat(here_.fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return std::unexpected(system_error("cannot be opened"));
    if (S_ISLNK(status.st_mode)) return follow(name, next, status);
    const bool last = ahead_.empty() && name != "..";
    here_ = Descriptor(openat(here_.fd, name.c_str(),
                              (last ? O_RDONLY : O_PATH) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (here_.fd < 0) return std::unexpected(system_error("cannot be opened"));
    name_ = next;
    is_place_ = !last;
    if (last) return {};  // run() asks more of it
    return check_here();
  }

  std::expected<void, Error> follow(const std::string& name, const std::string& link,
                                    const struct stat& status) {
    if (auto owned = check_owner(link, status); !owned) return owned;
    if (++links_ > max_links) {
      errno = ELOOP;
      return std::unexpected(system_error("cannot be opened"));
    }
    const auto target = read_link(here_.fd, name, link);
    if (!target) return std::unexpected(target.error());
    lead(*target);
    if (target->starts_with('/')) return to_root();
    return {};
  }

  const std::string& path_;
  std::deque<std::string> ahead_;
  Descriptor here_;
  std::string name_;      // of here_, as a message shows it
  bool is_place_ = true;  // here_ was opened with O_PATH
  int links_ = 0;
};

}  // namespace

Error system_failure(const std::string& path, const char* what, int error) {
  std::string message = what;
  message += ": ";
  message += strerrordesc_np(error);
  if (error == EACCES) message += " (for user " + std::to_string(geteuid()) + ")";
  return failure(path, message);
}

std::expected<Descriptor, Error> open_trusted_directory(const std::string& path) {
  return Walk(path).run();
}

std::expected<Descriptor, Error> open_trusted_file(int directory, const std::string& folder,
                                                   const std::string& name,
                                                   const std::string& path) {
  std::string at = name, in = folder;
  Descriptor followed;  // the directory that the last link led to
  for (int links = 0;; links++) {
    const int fd = followed.fd >= 0 ? followed.fd : directory;
    // O_NONBLOCK: a FIFO or a device in the file's place must not stop the program.
    Descriptor file(
        openat(fd, at.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status;
    if (file.fd < 0 && errno == ELOOP && links < max_links) {
      auto target = read_link(fd, at, path);
      if (!target) return std::unexpected(target.error());
      if (fstatat(fd, at.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
        if (auto owned = check_owner(join(in, at), status); !owned)
          return std::unexpected(owned.error());
      const std::string whole = target->starts_with('/') ? *target : join(in, *target);
      const size_t slash = whole.rfind('/');
      in = whole.substr(0, std::max<size_t>(slash, 1));
      at = whole.substr(slash + 1);
      auto led = open_trusted_directory(in);
      if (!led) return std::unexpected(led.error());
      followed = std::move(*led);
      continue;
    }
    if (file.fd < 0) return std::unexpected(system_failure(path, "cannot be opened", errno));
    if (fstat(file.fd, &status) != 0)
      return std::unexpected(system_failure(path, "cannot be examined", errno));
    if (!S_ISREG(status.st_mode)) return std::unexpected(failure(path, "is not a regular file"));
    if (auto trusted = check_trusted(path, status, false); !trusted)
      return std::unexpected(trusted.error());
    return file;
  }
}

}  // namespace gaiter::policy
