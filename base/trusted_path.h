// Opening files and directories that nobody else can have put there.
//
// Trusted are root and the process's effective user. A path is walked from "/",
// one name at a time, on descriptors: every directory on the way must belong to
// someone trusted and be writable by nobody else, or be sticky, and every
// symbolic link must belong to someone trusted. So whoever is not trusted cannot
// exchange anything between check and use, nor lead the path elsewhere.
#pragma once

#include <unistd.h>

#include <expected>
#include <string>
#include <utility>

#include "policy/policy.h"

namespace gaiter::policy {

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

// `error` is an errno; the message has its words.
Error system_failure(const std::string& path, const char* what, int error);

// A directory for reading. It must itself be writable by nobody else, sticky or not.
std::expected<Descriptor, Error> open_trusted_directory(const std::string& path);

// A regular file for reading, in a directory that was opened so and has the path
// `folder`. `path` is what errors call the file.
std::expected<Descriptor, Error> open_trusted_file(int directory, const std::string& folder,
                                                   const std::string& name,
                                                   const std::string& path);

}  // namespace gaiter::policy
