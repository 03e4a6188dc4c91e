#include "cli/preloadable.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ranges>
#include <string_view>
#include <vector>

#include "base/program_image.h"
#include "cli/elf_file.h"
#include "cli/output.h"

namespace gaiter::cli {
namespace {

template <class T>
using Checked = std::expected<T, Refusal>;

std::unexpected<Refusal> refuse(std::string message) {
  return std::unexpected(Refusal{exit_refused, std::move(message)});
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 == 0
}

Checked<void> check_elf(const std::string& path, const base::ProgramFile& file) {
  const std::string what = path + ' ' + base::describe(file.obstacle);
  switch (file.obstacle) {
    case base::Obstacle::none:
      return {};
    case base::Obstacle::other_machine:
      return refuse(fmt::format("{} (ELF machine {})", what, file.machine));
    case base::Obstacle::no_loader:
      return refuse(what + "; use a dynamically linked build");
    case base::Obstacle::other_libc:
      return refuse(fmt::format("{}'s {} (its loader is {})", what, base::own_loader,
                                printable(file.loader)));
    default:
      break;
  }
  if (base::gains_rights(file.obstacle)) {
    return refuse(what +
                  "; start it as the user that it becomes, or take that privilege from the file");
  }
  return refuse(what);
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

// What follows the interpreter in the `#!` line: one argument.
std::string shebang_argument(std::string_view line, std::string_view interpreter) {
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(std::min(line.size(), line.find(interpreter) + interpreter.size()));
  const size_t first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(line.substr(first, line.find_last_not_of(" \t") - first + 1));
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
  if (depth > base::max_interpreters)
    return refuse(fmt::format("{}: too many interpreters, each a script of the next", path));
  const File file(path);
  if (!file.is_open()) {
    return refuse(fmt::format("cannot read {} to see whether it can be preloaded: {}", path,
                              std::strerror(errno)));
  }
  base::ProgramFile head;
  base::look_at(file.fd(), head);
  if (head.format == base::Format::elf) {
    if (const auto checked = check_elf(path, head); !checked)
      return std::unexpected(checked.error());
    return path;
  }
  // A text file without `#!` is run by the shell (execvp(3)).
  if (head.format == base::Format::other) return check_file("/bin/sh", depth + 1);

  const std::string interpreter = head.interpreter;
  if (access(interpreter.c_str(), F_OK) != 0) {
    return std::unexpected(
        Refusal{exit_no_program,
                fmt::format("{}: its interpreter {} is not there", path, printable(interpreter))});
  }
  auto binary = check_file(interpreter, depth + 1);
  if (!binary || base_name(interpreter) != "env") return binary;
  const std::string program =
      program_of_env(shebang_argument(file.read(0, base::script_line_limit), interpreter));
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
