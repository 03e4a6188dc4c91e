// The way to a directory, from "/" one name at a time on descriptors, on which nobody who
// is not trusted can have led it elsewhere, nor can exchange anything between check and use.
//
// Trusted are root and the process's effective user. Every directory on the way must
// belong to someone trusted and be writable by nobody else, or be sticky, and every
// symbolic link must belong to someone trusted.
//
// Allocates nothing, and may be used in a signal handler; 3 * Capacity bytes of stack.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

namespace gaiter::base {

enum class Verdict {
  trusted,
  failed,  // error() says why
  foreign,
  group_may_write,
  all_may_write,
};

inline Verdict verdict_on_owner(const struct stat& status, uid_t user) {
  return status.st_uid == 0 || status.st_uid == user ? Verdict::trusted : Verdict::foreign;
}

inline Verdict verdict_on(const struct stat& status, uid_t user, bool may_be_sticky) {
  if (verdict_on_owner(status, user) == Verdict::foreign) return Verdict::foreign;
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return Verdict::trusted;
  if (may_be_sticky && (status.st_mode & S_ISVTX) != 0) return Verdict::trusted;
  return (status.st_mode & S_IWOTH) != 0 ? Verdict::all_may_write : Verdict::group_may_write;
}

inline constexpr int max_links = 40;  // as the kernel's, path_resolution(7)

// `Close` is close(2). A path longer than Capacity, with the links on its way followed, is
// ENAMETOOLONG.
template <size_t Capacity, auto Close>
class TrustedWalk {
 public:
  // `user` is trusted beside root: geteuid(2), which is not asked here, where a seccomp
  // filter may be.
  explicit TrustedWalk(uid_t user) : user_(user) {}
  TrustedWalk(const TrustedWalk&) = delete;
  TrustedWalk& operator=(const TrustedWalk&) = delete;
  ~TrustedWalk() { leave(); }

  // Goes to `path`, absolute or from the working directory. The directory at its end may
  // be sticky only where `end_may_be_sticky`. Once.
  Verdict run(const char* path, bool end_may_be_sticky) {
    ahead_[0] = here_[0] = '\0';
    if (!lead(path)) return failed(ENAMETOOLONG);
    if (path[0] != '/') {
      if (getcwd(link_, Capacity) == nullptr) return failed(errno);
      if (!lead(link_)) return failed(ENAMETOOLONG);
    }
    Verdict verdict = to_root();
    while (verdict == Verdict::trusted && next_name()) verdict = step();
    if (verdict != Verdict::trusted) return verdict;
    // Only a place was opened, and no right to read is needed on the way.
    const int readable = openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (readable < 0) return failed(errno);
    leave();
    fd_ = readable;
    if (fstat(fd_, &status_) != 0) return failed(errno);
    return verdict_on(status_, user_, end_may_be_sticky);
  }

  // Where run() came to, for the caller to close.
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

  // Of what a verdict other than `trusted` is about: its path, and what stat(2) says.
  const char* culprit() const { return here_; }
  const struct stat& status() const { return status_; }
  int error() const { return error_; }

 private:
  Verdict failed(int error) {
    error_ = error;
    return Verdict::failed;
  }

  void leave() {
    if (fd_ >= 0) Close(fd_);
    fd_ = -1;
  }

  // Puts the names of `path` before those that are ahead.
  bool lead(const char* path) {
    const size_t length = strlen(path), rest = strlen(ahead_);
    if (length + 1 + rest + 1 > Capacity) return false;
    memmove(ahead_ + length + 1, ahead_, rest + 1);
    memcpy(ahead_, path, length);
    ahead_[length] = '/';
    return true;
  }

  // Takes one name from those that are ahead to the end of here_; false if there is none.
  // `own_` is where it begins.
  bool next_name() {
    for (;;) {
      const size_t begin = strspn(ahead_, "/");
      const size_t end = begin + strcspn(ahead_ + begin, "/");
      const size_t length = end - begin, rest = strlen(ahead_ + end);
      if (length == 0) return false;
      const bool same = length == 1 && ahead_[begin] == '.';
      size_t at = strlen(here_);
      if (!same) {
        if (at != 1) here_[at++] = '/';  // but for "/"
        own_ = at;
        const size_t fits = std::min(length, Capacity - 2 - at);
        memcpy(here_ + at, ahead_ + begin, fits);
        here_[at + fits] = '\0';
        too_long_ = fits != length || at + fits + 2 >= Capacity;
      }
      memmove(ahead_, ahead_ + end, rest + 1);
      if (!same) return true;
    }
  }

  Verdict to_root() {
    leave();
    here_[0] = '/';
    here_[1] = '\0';
    fd_ = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd_ < 0 || fstat(fd_, &status_) != 0) return failed(errno);
    return verdict_on(status_, user_, true);
  }

  Verdict step() {
    if (too_long_) return failed(ENAMETOOLONG);
    const char* const name = here_ + own_;
    if (fstatat(fd_, name, &status_, AT_SYMLINK_NOFOLLOW) != 0) return failed(errno);
    if (S_ISLNK(status_.st_mode)) return follow();
    const int next = openat(fd_, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) return failed(errno);
    leave();
    fd_ = next;
    if (fstat(fd_, &status_) != 0) return failed(errno);
    return verdict_on(status_, user_, true);
  }

  Verdict follow() {
    if (const Verdict owner = verdict_on_owner(status_, user_); owner != Verdict::trusted)
      return owner;
    if (++links_ > max_links) return failed(ELOOP);
    const ssize_t length = readlinkat(fd_, here_ + own_, link_, Capacity);
    if (length < 0) return failed(errno);
    if (static_cast<size_t>(length) >= Capacity) return failed(ENAMETOOLONG);
    link_[length] = '\0';
    if (!lead(link_)) return failed(ENAMETOOLONG);
    if (link_[0] == '/') return to_root();
    here_[own_ > 1 ? own_ - 1 : 1] = '\0';  // back to the directory that the link is in
    return Verdict::trusted;
  }

  const uid_t user_;
  char ahead_[Capacity];  // names still to go
  char here_[Capacity];   // of fd_, as a message shows it
  char link_[Capacity];
  size_t own_ = 1;
  bool too_long_ = false;
  int fd_ = -1;  // opened with O_PATH
  int links_ = 0;
  int error_ = 0;
  struct stat status_ {};
};

}  // namespace gaiter::base
