#include "base/program_image.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gaiter::base {

#if defined(__x86_64__)
const char own_loader[] = "ld-linux-x86-64.so.2";
static constexpr Elf64_Half own_machine = EM_X86_64;
#elif defined(__aarch64__)
const char own_loader[] = "ld-linux-aarch64.so.1";
static constexpr Elf64_Half own_machine = EM_AARCH64;
#else
#error "Gaiter knows x86-64 and aarch64"
#endif

namespace {

// Reads at offsets; what programs have at their beginning costs one system call.
class Reader {
 public:
  explicit Reader(int fd) : fd_(fd) {
    const ssize_t got = pread(fd_, head_, sizeof head_, 0);
    size_ = static_cast<size_t>(std::max<ssize_t>(got, 0));
  }

  const char* head() const { return head_; }
  size_t size() const { return size_; }

  // False if the file has not all of it.
  bool read(uint64_t offset, void* into, size_t length) const {
    if (offset <= size_ && length <= size_ - offset) {
      std::memcpy(into, head_ + offset, length);
      return true;
    }
    return offset <= INT64_MAX &&
           pread(fd_, into, length, static_cast<off_t>(offset)) == static_cast<ssize_t>(length);
  }

 private:
  int fd_;
  size_t size_;
  char head_[2048];
};

// Go puts its build id into a note of its own name.
bool has_go_note(const Reader& reader, const Elf64_Phdr& segment) {
  constexpr size_t longest = 64 * 1024;
  const auto aligned = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
  const uint64_t end = std::min<uint64_t>(segment.p_filesz, longest);
  for (uint64_t at = 0; at < end;) {
    Elf64_Nhdr note;
    char name[4];
    if (!reader.read(segment.p_offset + at, &note, sizeof note)) return false;
    at += sizeof note;
    if (note.n_namesz == sizeof name && reader.read(segment.p_offset + at, name, sizeof name) &&
        std::memcmp(name, "Go\0\0", sizeof name) == 0) {
      return true;
    }
    at += aligned(note.n_namesz) + aligned(note.n_descsz);
  }
  return false;
}

const char* base_name(const char* path) {
  const char* const slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

Obstacle rights_gained(int fd) {
  if (getuid() != geteuid() || getgid() != getegid()) return Obstacle::other_user;
  struct stat status;
  if (fstat(fd, &status) != 0) return Obstacle::none;
  const bool setuid = (status.st_mode & S_ISUID) != 0 && status.st_uid != getuid();
  // Without group execution the bit is not a setgid.
  constexpr mode_t both = S_ISGID | S_IXGRP;
  const bool setgid = (status.st_mode & both) == both && status.st_gid != getgid();
  const bool capabilities = getuid() != 0 && fgetxattr(fd, "security.capability", nullptr, 0) > 0;
  if (!setuid && !setgid && !capabilities) return Obstacle::none;
  struct statvfs mount;
  const bool ignored = (fstatvfs(fd, &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0) ||
                       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
  if (ignored) return Obstacle::none;
  if (setuid) return Obstacle::setuid;
  return setgid ? Obstacle::setgid : Obstacle::capabilities;
}

// What the headers say. `file` has its machine and its loader afterwards.
Obstacle look_at_headers(const Reader& reader, ProgramFile& file) {
  Elf64_Ehdr header;
  if (!reader.read(0, &header, offsetof(Elf64_Ehdr, e_version))) return Obstacle::damaged;
  file.machine = header.e_machine;  // at the same place in both classes
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return Obstacle::other_width;
  if (header.e_machine != own_machine) return Obstacle::other_machine;
  if (!reader.read(0, &header, sizeof header)) return Obstacle::damaged;
  bool is_go = false;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const uint64_t at = header.e_phoff + uint64_t{i} * header.e_phentsize;
    if (!reader.read(at, &segment, sizeof segment)) return Obstacle::damaged;
    if (segment.p_type == PT_INTERP) {
      const size_t length = std::min<size_t>(segment.p_filesz, sizeof file.loader - 1);
      if (!reader.read(segment.p_offset, file.loader, length)) return Obstacle::damaged;
      file.loader[length] = '\0';
    }
    is_go = is_go || (segment.p_type == PT_NOTE && has_go_note(reader, segment));
  }
  if (file.loader[0] == '\0') return Obstacle::no_loader;
  if (std::strcmp(base_name(file.loader), own_loader) != 0) return Obstacle::other_libc;
  return is_go ? Obstacle::go : Obstacle::none;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// The `#!` line as execve(2) reads it: an interpreter, the rest one argument.
void read_interpreter(const Reader& reader, ProgramFile& file) {
  const char* at = reader.head() + 2;
  const char* const end = reader.head() + std::min(reader.size(), script_line_limit - 1);
  while (at < end && is_blank(*at)) ++at;
  const char* const first = at;
  while (at < end && !is_blank(*at) && *at != '\n' && *at != '\0') ++at;
  const auto length = static_cast<size_t>(at - first);
  std::memcpy(file.interpreter, first, length);
  file.interpreter[length] = '\0';
}

struct ProcName {
  char text[32] = "/proc/self/fd/";
  explicit ProcName(int fd) {
    char digits[12];
    size_t count = 0;
    for (int rest = fd; rest > 0 || count == 0; rest /= 10)
      digits[count++] = static_cast<char>('0' + rest % 10);
    for (char* at = text + std::strlen(text); count > 0;) *at++ = digits[--count];
  }
};

// For reading. A descriptor that execveat(2) takes as the program itself may be open for
// nothing but its path.
int open_program(int directory, const char* path, int flags) {
  constexpr int how = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  if (path[0] != '\0' || (flags & AT_EMPTY_PATH) == 0 || directory < 0)
    return openat(directory, path, how | ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0));
  const int fd = open(ProcName(directory).text, how);
  return fd >= 0 || errno == EACCES ? fd : fcntl(directory, F_DUPFD_CLOEXEC, 0);
}

// Of a file that may be executed and not read ("chmod 711").
Obstacle look_at_mode(int directory, const char* path, int flags) {
  struct stat status;
  if (getuid() != geteuid() || getgid() != getegid()) return Obstacle::other_user;
  if (fstatat(directory, path, &status, flags) != 0) return Obstacle::unreadable;
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) return Obstacle::setuid;
  if ((status.st_mode & S_ISGID) != 0 && status.st_gid != getgid()) return Obstacle::setgid;
  return Obstacle::unreadable;
}

}  // namespace

bool gains_rights(Obstacle obstacle) {
  return obstacle == Obstacle::setuid || obstacle == Obstacle::setgid ||
         obstacle == Obstacle::capabilities || obstacle == Obstacle::other_user;
}

bool rejects_preload(Obstacle obstacle) {
  return obstacle == Obstacle::other_libc || obstacle == Obstacle::other_width ||
         obstacle == Obstacle::other_machine;
}

const char* describe(Obstacle obstacle) {
  switch (obstacle) {
    case Obstacle::none:
      break;
    case Obstacle::unreadable:
      return "may not be read, so nobody knows whether a library can be preloaded into it";
    case Obstacle::damaged:
      return "is a damaged ELF file";
    case Obstacle::other_width:
      return "is a 32-bit program; libgaiter.so is 64-bit";
    case Obstacle::other_machine:
      return "is for another machine";
    case Obstacle::no_loader:
      return "is statically linked: no library can be preloaded into it";
    case Obstacle::other_libc:
      return "uses another C library; libgaiter.so needs glibc";
    case Obstacle::go:
      return "is a Go program: it makes its system calls itself, around the C library";
    case Obstacle::setuid:
      return "is setuid, and the loader ignores preloads then";
    case Obstacle::setgid:
      return "is setgid, and the loader ignores preloads then";
    case Obstacle::capabilities:
      return "is given capabilities by its file, and the loader ignores preloads then";
    case Obstacle::other_user:
      return "would start with two users or groups, real and effective, and the loader ignores "
             "preloads then";
  }
  return "can be preloaded";
}

void look_at(int fd, ProgramFile& file) {
  const Reader reader(fd);
  if (reader.size() >= SELFMAG && std::memcmp(reader.head(), ELFMAG, SELFMAG) == 0) {
    file.format = Format::elf;
    file.obstacle = look_at_headers(reader, file);
    if (file.obstacle == Obstacle::damaged) return;
    // Worse than any other: a filter would take the rights away.
    if (const Obstacle gained = rights_gained(fd); gained != Obstacle::none) file.obstacle = gained;
  } else if (reader.size() >= 2 && reader.head()[0] == '#' && reader.head()[1] == '!') {
    file.format = Format::script;
    read_interpreter(reader, file);
  }
}

ProgramImage look_at(int directory, const char* path, int flags) {
  const int saved_errno = errno;
  ProgramImage image;
  ProgramFile file;
  char next[script_line_limit];
  for (int depth = 0; depth <= max_interpreters; ++depth) {
    const int fd = open_program(directory, path, flags);
    if (fd < 0) {
      // Execution needs no right to read.
      if (errno == EACCES && faccessat(directory, path, X_OK, AT_EACCESS) == 0) {
        image.obstacle = look_at_mode(directory, path, flags);
      } else {
        image.error = errno;
      }
      break;
    }
    file = {};
    look_at(fd, file);
    close(fd);
    if (file.format != Format::script) {
      image.obstacle = file.obstacle;
      image.is_unknown = file.format == Format::other;
      break;
    }
    std::memcpy(next, file.interpreter, sizeof next);
    path = next;
    directory = AT_FDCWD;
    flags = 0;
  }
  errno = saved_errno;
  return image;
}

void name_program(int directory, const char* path, int flags, char (&name)[PATH_MAX]) {
  const int saved_errno = errno;
  const bool is_open = path[0] == '\0' && (flags & AT_EMPTY_PATH) != 0;
  const int fd = is_open ? directory : openat(directory, path, O_PATH | O_CLOEXEC);
  const ssize_t length = fd < 0 ? 0 : readlink(ProcName(fd).text, name, sizeof name - 1);
  if (fd >= 0 && !is_open) close(fd);
  if (length > 0) {
    name[length] = '\0';
  } else {
    const size_t given = strnlen(path, sizeof name - 1);
    std::memcpy(name, path, given);
    name[given] = '\0';
  }
  errno = saved_errno;
}

}  // namespace gaiter::base
