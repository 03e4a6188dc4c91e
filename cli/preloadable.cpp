#include "cli/preloadable.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ranges>
#include <string_view>
#include <vector>

#include "cli/elf_file.h"
#include "cli/output.h"

namespace gaiter::cli {
namespace {

// execve(2) follows this many `#!` lines before it gives up with ELOOP.
constexpr int max_interpreters = 5;
// Linux reads this much of a file to find its `#!` line (BINPRM_BUF_SIZE).
constexpr size_t script_line_limit = 256;

template <class T>
using Checked = std::expected<T, Refusal>;

std::unexpected<Refusal> refuse(std::string message) {
  return std::unexpected(Refusal{exit_refused, std::move(message)});
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 == 0
}

// The reason for which the kernel would run the file in secure-execution mode,
// where the loader ignores LD_PRELOAD; "" if it would not (execve(2), ld.so(8)).
std::string privileges_gained(const File& file) {
  struct stat status = {};
  struct statvfs mount = {};
  if (fstat(file.fd(), &status) != 0) return "";
  const bool ignored = (fstatvfs(file.fd(), &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0) ||
                       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
  if (ignored) return "";
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) return "setuid";
  // Without group execution the bit is not a setgid.
  const mode_t setgid = S_ISGID | S_IXGRP;
  if ((status.st_mode & setgid) == setgid && status.st_gid != getgid()) return "setgid";
  if (getuid() != 0 && fgetxattr(file.fd(), "security.capability", nullptr, 0) > 0)
    return "given capabilities by its file";
  return "";
}

Checked<void> check_elf(const std::string& path, const File& file) {
  const Elf elf = read_elf(file);
  if (!elf.valid) return refuse(fmt::format("{} is a damaged ELF file", path));
  const Elf self = read_elf(File("/proc/self/exe"));
  if (elf.elf_class != self.elf_class)
    return refuse(fmt::format("{} is a 32-bit program; libgaiter.so is 64-bit", path));
  if (elf.machine != self.machine) {
    return refuse(fmt::format("{} is for another machine (ELF machine {}, this one is {})", path,
                              elf.machine, self.machine));
  }
  if (elf.loader.empty()) {
    return refuse(
        fmt::format("{} is statically linked: no library can be preloaded into it; "
                    "use a dynamically linked build",
                    path));
  }
  if (base_name(elf.loader) != base_name(self.loader)) {
    return refuse(
        fmt::format("{} uses another C library (its loader is {}); libgaiter.so needs glibc's {}",
                    path, printable(elf.loader), base_name(self.loader)));
  }
  if (elf.is_go) {
    return refuse(
        fmt::format("{} is a Go program: it makes its system calls itself, around the "
                    "C library that Gaiter works in",
                    path));
  }
  if (const std::string reason = privileges_gained(file); !reason.empty()) {
    return refuse(
        fmt::format("{} is {}, and the loader ignores preloads then; start it as the user "
                    "that it becomes, or take that privilege from the file",
                    path, reason));
  }
  return {};
}

// As execvp(3): a name without a slash is looked for along PATH.
Checked<std::string> resolve(const std::string& name) {
  if (name.empty()) return std::unexpected(Refusal{exit_no_program, "no program named"});
  std::vector<std::string> candidates;
  if (name.find('/') != std::string::npos) {
    candidates.push_back(name);
  } else {
    const char* path = getenv("PATH");
    const std::string_view folders = path != nullptr ? path : "/bin:/usr/bin";
    for (const auto part : std::views::split(folders, ':')) {
      const std::string folder(part.begin(), part.end());
      candidates.push_back(folder.empty() ? name : folder + "/" + name);
    }
  }
  bool denied = false;
  for (const std::string& candidate : candidates) {
    struct stat status = {};
    if (stat(candidate.c_str(), &status) != 0) {
      denied = denied || errno == EACCES;
    } else if (S_ISREG(status.st_mode) &&
               faccessat(AT_FDCWD, candidate.c_str(), X_OK, AT_EACCESS) == 0) {
      return candidate;
    } else {
      denied = true;
    }
  }
  if (denied)
    return std::unexpected(Refusal{exit_not_executable, name + " is there but not executable"});
  return std::unexpected(Refusal{exit_no_program, name + ": no such program"});
}

struct Shebang {
  std::string interpreter;
  std::string argument;
};

// The `#!` line as execve(2) reads it: an interpreter, the rest one argument.
Shebang parse_shebang(std::string_view head) {
  std::string_view line = head.substr(2, head.find('\n') - 2);
  const auto trim = [](std::string_view text) {
    const size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return std::string_view();
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
  };
  line = trim(line);
  const size_t end = line.find_first_of(" \t");
  Shebang shebang;
  shebang.interpreter = line.substr(0, end);
  if (end != std::string_view::npos) shebang.argument = trim(line.substr(end));
  return shebang;
}

// The program that `#!/usr/bin/env ARGUMENT` starts: its first word that is
// neither an option nor an assignment.
std::string program_of_env(const std::string& argument) {
  for (const auto part : std::views::split(argument, ' ')) {
    const std::string word(part.begin(), part.end());
    if (!word.empty() && word[0] != '-' && word.find('=') == std::string::npos) return word;
  }
  return "";
}

// The ELF file that will be executed for `path`.
Checked<std::string> check_file(const std::string& path, int depth) {
  if (depth > max_interpreters)
    return refuse(fmt::format("{}: too many interpreters, each a script of the next", path));
  const File file(path);
  if (!file.is_open()) {
    return refuse(fmt::format("cannot read {} to see whether it can be preloaded: {}", path,
                              std::strerror(errno)));
  }
  const std::string head = file.read(0, script_line_limit);
  if (head.starts_with(ELFMAG)) {
    if (const auto checked = check_elf(path, file); !checked)
      return std::unexpected(checked.error());
    return path;
  }
  // A text file without `#!` is run by the shell (execvp(3)).
  if (!head.starts_with("#!")) return check_file("/bin/sh", depth + 1);

  const Shebang shebang = parse_shebang(head);
  if (access(shebang.interpreter.c_str(), F_OK) != 0) {
    return std::unexpected(Refusal{
        exit_no_program,
        fmt::format("{}: its interpreter {} is not there", path, printable(shebang.interpreter))});
  }
  auto binary = check_file(shebang.interpreter, depth + 1);
  if (!binary || base_name(shebang.interpreter) != "env") return binary;
  const std::string program = program_of_env(shebang.argument);
  if (program.empty()) return binary;
  const Checked<std::string> resolved = resolve(program);
  if (!resolved) return std::unexpected(resolved.error());
  return check_file(*resolved, depth + 1);
}

}  // namespace

std::expected<Preloadable, Refusal> find_preloadable(const std::string& program) {
  const Checked<std::string> path = resolve(program);
  if (!path) return std::unexpected(path.error());
  const Checked<std::string> binary = check_file(*path, 0);
  if (binary) return Preloadable{*path, *binary};
  Refusal refusal = binary.error();
  refusal.message = "cannot protect " + program + ": " + refusal.message;
  return std::unexpected(std::move(refusal));
}

}  // namespace gaiter::cli
