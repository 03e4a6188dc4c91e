// Opening files and directories that nobody else can have put there, or led us to: on a
// trusted way (base/trusted_walk), and themselves belonging to root or the process's
// effective user, and writable by nobody else.
#pragma once

#include <unistd.h>

#include <expected>
#include <string>
#include <utility>

namespace gaiter::base {

// Closes on every way out, a cancelled thread's included.
struct Descriptor {
  int fd;
  explicit Descriptor(int opened = -1) : fd(opened) {}
  Descriptor(Descriptor&& other) noexcept : fd(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  int release() { return std::exchange(fd, -1); }
};

// Why a path is not used. The message begins with a verb: "can be written by everybody:
// chmod go-w /x".
struct PathError {
  std::string path;  // what is wrong; perhaps a directory on the way
  std::string message;
  int number = 0;  // an errno; 0 = somebody who is not trusted can change it
};

// `number` is an errno; the message has its words.
PathError system_failure(const std::string& path, const char* what, int number);

// A directory for reading. It must itself be writable by nobody else, sticky or not.
std::expected<Descriptor, PathError> open_trusted_directory(const std::string& path);

// A regular file for reading, in a directory that was opened so and has the path
// `folder`. `path` is what errors call the file.
std::expected<Descriptor, PathError> open_trusted_file(int directory, const std::string& folder,
                                                       const std::string& name,
                                                       const std::string& path);

}  // namespace gaiter::base
