#include "base/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/trusted_walk.h"

namespace gaiter::base {
namespace {

using Walk = TrustedWalk<PATH_MAX, close>;

PathError foreign(const std::string& path, const struct stat& status) {
  const uid_t user = geteuid();
  const std::string owners = user == 0 ? "root" : "root or user " + std::to_string(user);
  return {path, "belongs to user " + std::to_string(status.st_uid) +
                    ", who could change it; it must belong to " + owners + ": chown " +
                    (S_ISLNK(status.st_mode) ? "-h " : "") +
                    (user == 0 ? "root " : std::to_string(user) + " ") + path};
}

// In words; `verdict` is neither `trusted` nor `failed`.
PathError distrust(Verdict verdict, const std::string& path, const struct stat& status) {
  if (verdict == Verdict::foreign) return foreign(path, status);
  const char* const whom = verdict == Verdict::all_may_write ? "everybody" : "its group";
  return {path, std::string("can be written by ") + whom + ": chmod go-w " + path};
}

std::expected<std::string, PathError> read_link(int directory, const std::string& name,
                                                const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = readlinkat(directory, name.c_str(), target, sizeof target);
  if (length < 0) return std::unexpected(system_failure(path, "cannot be read", errno));
  return std::string(target, static_cast<size_t>(length));
}

std::string join(const std::string& folder, const std::string& name) {
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

}  // namespace

PathError system_failure(const std::string& path, const char* what, int number) {
  std::string message = what;
  message += ": ";
  message += strerrordesc_np(number);
  if (number == EACCES) message += " (for user " + std::to_string(geteuid()) + ")";
  return {path, std::move(message), number};
}

std::expected<Descriptor, PathError> open_trusted_directory(const std::string& path) {
  Walk walk(geteuid());
  const Verdict verdict = walk.run(path.c_str(), false);
  if (verdict == Verdict::trusted) return Descriptor(walk.release());
  if (verdict == Verdict::failed)
    return std::unexpected(system_failure(path, "cannot be opened", walk.error()));
  return std::unexpected(distrust(verdict, walk.culprit(), walk.status()));
}

std::expected<Descriptor, PathError> open_trusted_file(int directory, const std::string& folder,
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
      if (fstatat(fd, at.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
          verdict_on_owner(status, geteuid()) != Verdict::trusted)
        return std::unexpected(foreign(join(in, at), status));
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
    if (!S_ISREG(status.st_mode)) return std::unexpected(PathError{path, "is not a regular file"});
    if (const Verdict verdict = verdict_on(status, geteuid(), false); verdict != Verdict::trusted)
      return std::unexpected(distrust(verdict, path, status));
    return file;
  }
}

}  // namespace gaiter::base
