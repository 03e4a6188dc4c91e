#include "shim/watch.h"

#include <dirent.h>

#include <cerrno>
#include <memory>
#include <string_view>

namespace gaiter::shim {

namespace {

bool same(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool is_later(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

// Less than `settling` ago. A time to come is another machine's: as good as old.
bool is_recent(const timespec& when) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t age =
      (int64_t{now.tv_sec} - when.tv_sec) * 1'000'000'000 + now.tv_nsec - when.tv_nsec;
  return age >= 0 && age < Watch::settling;
}

}  // namespace

Watch::Stamp Watch::Stamp::of(const char* path) {
  struct stat status;
  if (stat(path, &status) != 0) return {.error = errno};
  return {0, status.st_dev, status.st_ino, status.st_size, status.st_mtim, status.st_ctim};
}

bool Watch::Stamp::operator==(const Stamp& other) const {
  return error == other.error && device == other.device && inode == other.inode &&
         size == other.size && same(modified, other.modified) && same(changed, other.changed);
}

void Watch::add(const std::string& path, int levels) {
  files_.push_back({path, Stamp::of(path.c_str())});
  if (levels == 0 || files_.back().stamp.error != 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(path.c_str()), closedir);
  while (const dirent* const entry = listing != nullptr ? readdir(listing.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") add(path + "/" + entry->d_name, levels - 1);
  }
}

Watch::Change Watch::look() const {
  const int saved_errno = errno;
  bool differs = false;
  timespec newest{};
  for (const File& file : files_) {
    const Stamp now = Stamp::of(file.path.c_str());
    if (now == file.stamp || now.error == EACCES || now.error == EPERM) continue;
    differs = true;
    if (is_later(now.changed, newest)) newest = now.changed;
  }
  errno = saved_errno;
  if (!differs) return Change::none;
  return is_recent(newest) ? Change::recent : Change::settled;
}

}  // namespace gaiter::shim
