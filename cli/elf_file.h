// What an ELF file says of itself (elf(5)).
#pragma once

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gaiter::cli {

class File {
 public:
  explicit File(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  // Up to `length` bytes at `offset`; fewer at the end of the file or on error.
  std::string read(uint64_t offset, size_t length) const {
    std::string bytes(length, '\0');
    const ssize_t got = pread(fd_, bytes.data(), length, static_cast<off_t>(offset));
    bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return bytes;
  }

  template <class T>
  std::optional<T> read_struct(uint64_t offset) const {
    const std::string bytes = read(offset, sizeof(T));
    if (bytes.size() != sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

 private:
  int fd_;
};

// What matters of an ELF file. `valid` only says that it was read whole.
struct Elf {
  bool valid = false;
  unsigned char elf_class = ELFCLASSNONE;
  Elf64_Half machine = EM_NONE;
  std::string loader;  // PT_INTERP; "" = statically linked
  bool is_go = false;
};
Elf read_elf(const File& file);

// The dynamic symbols of a 64-bit file: those it wants from other libraries, and
// those it has for them. Empty if its section headers were stripped.
struct DynamicSymbols {
  std::set<std::string> imports;
  std::set<std::string> exports;
};
DynamicSymbols read_dynamic_symbols(const File& file);

// The contents of its sections that hold machine code.
std::vector<std::string> read_code(const File& file);

}  // namespace gaiter::cli
