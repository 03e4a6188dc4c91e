// Files whose change must be noticed, with what stat(2) said of each when it was
// added: before it was read, so that a change in between shows as well.
#pragma once

#include <sys/stat.h>
#include <time.h>

#include <string>
#include <vector>

namespace gaiter::shim {

class Watch {
 public:
  // `path`, be it there or not, and so many levels of what is in it, if it is a
  // directory. Allocates.
  void add(const std::string& path, int levels = 0);

  enum class Change : uint8_t {
    none,
    recent,   // so fresh that the writer may not be done: look again in a moment
    settled,  // nothing has changed for `settling` since
  };
  static constexpr long settling = 250'000'000;  // nanoseconds

  // Compares with the present. What may not be examined (EACCES) counts as
  // unchanged: a process that gave up its rights has not seen a change. One
  // stat(2) a file; neither allocates nor locks.
  Change look() const;

 private:
  struct Stamp {
    int error = 0;  // of stat(2); with 0, the rest is valid
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};
    timespec changed{};
    static Stamp of(const char* path);
    bool operator==(const Stamp& other) const;
  };
  struct File {
    std::string path;
    Stamp stamp;
  };
  std::vector<File> files_;
};

}  // namespace gaiter::shim
