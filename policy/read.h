// Reading policy files that nobody else can have written.
//
// Every file and directory is opened as base/trusted_path.h says.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "policy/policy.h"

namespace gaiter::policy {

inline constexpr size_t max_file_size = 1 << 20;

// An open directory that passed the checks. Owns its descriptor.
class Directory {
 public:
  // Error::line is 0 and its message says how to mend what is wrong.
  static std::expected<Directory, Error> open(const std::string& path);

  // Whether `path` names a directory (followed if a link); false if it is not there.
  static bool exists(const std::string& path);

  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&&) = delete;
  ~Directory();

  const std::string& path() const { return path_; }

  // The path of `name` in this directory, as errors show it.
  std::string path_of(const std::string& name) const;

  // All names but "." and "..", sorted.
  std::expected<std::vector<std::string>, Error> names() const;

  // The whole of a regular file of at most max_file_size bytes.
  std::expected<std::string, Error> read(const std::string& name) const;

 private:
  Directory(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

// A file by its path: its directory, which must pass the checks, and the file in it.
std::expected<std::string, Error> read_file(const std::string& path);

}  // namespace gaiter::policy
