// Directories and small files, read and written safely.
//
// Reading may happen inside a hook of any program, perhaps as root: no stdio, no
// following of symbolic links, bounded sizes, and nothing that somebody else
// could have written. Descriptors are closed before a function returns, unless it
// returns one; all are close-on-exec.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// No file of a keyring is longer: room for a system's whole CA bundle.
inline constexpr size_t max_file_size = size_t{1} << 20;

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// An open directory, and its path for messages.
struct Directory {
  Fd fd;
  std::string path;

  std::string path_of(std::string_view name) const { return path + "/" + std::string(name); }
};

// Bytes that are wiped when they go: they may be a private key. A vector, as
// moving a vector never leaves a copy behind.
class Content {
 public:
  explicit Content(std::vector<char> bytes) : bytes_(std::move(bytes)) {}
  Content(Content&&) = default;
  Content& operator=(Content&& other) noexcept {
    bytes_.swap(other.bytes_);
    return *this;
  }
  ~Content();
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

// `path` seen from the working directory of now: the program may change it.
Result<std::string> absolute_path(const std::string& path);

// ---- reading ----

// Fails with Kind::insecure if the directory belongs to anyone but root or the
// effective user, or if group or others may write to it; and if such a one could have
// led the path elsewhere, by a directory or a symbolic link on the way
// (base/trusted_path).
Result<Directory> open_directory(const std::string& path);
Result<Directory> open_directory(const Directory& parent, const std::string& name);

// What nobody but root and the effective user may do with a file.
enum class Guard { write, read };

// Kind::insecure as above, with how to mend it; Kind::invalid over max_file_size.
Result<Content> read_file(const Directory& directory, const char* name, Guard guard);

bool exists(const Directory& directory, const char* name);
bool is_directory(const Directory& parent, const std::string& name);

// Whether `name` in `parent` is still the directory that was opened.
bool is_still(const Directory& parent, const std::string& name, const Directory& opened);

// Names in the directory without `.` and `..`, sorted.
Result<std::vector<std::string>> list(const Directory& directory);

// ---- writing ----

inline constexpr mode_t public_mode = 0644;
inline constexpr mode_t secret_mode = 0600;
// Certificates are public, so a keyring may be listed by all.
inline constexpr mode_t directory_mode = 0755;

// Makes the directory and its missing parents; no error if it is there.
Result<void> make_directories(const std::string& path);

// Makes a directory that must not exist yet.
Result<Directory> make_directory(const Directory& parent, const std::string& name);

// Makes a file that must not exist yet, of exactly `mode` whatever the umask,
// and brings it to the disk.
Result<void> write_new_file(const Directory& directory, const std::string& name,
                            std::string_view content, mode_t mode);

// fsync(2): what was made, renamed or removed in the directory survives a crash.
Result<void> sync(const Directory& directory);

// Removes a file, or a directory and the files in it. Best effort.
void discard(const Directory& parent, const std::string& name);

}  // namespace gaiter::keyring
