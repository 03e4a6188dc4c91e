#include "cli/library.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/program_image.h"
#include "cli/elf_file.h"
#include "cli/output.h"

namespace gaiter::cli {
namespace {

std::unexpected<Refusal> refuse(std::string message) {
  return std::unexpected(Refusal{exit_refused, std::move(message)});
}

// The loader ignores what it cannot load, and the program would go on in clear.
std::expected<void, Refusal> check_loadable(const std::string& path) {
  const File file(path);
  if (!file.is_open())
    return refuse(fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  base::ProgramFile library;
  base::look_at(file.fd(), library);
  if (library.format != base::Format::elf || library.obstacle == base::Obstacle::damaged ||
      library.obstacle == base::Obstacle::other_width ||
      library.obstacle == base::Obstacle::other_machine) {
    return refuse(
        fmt::format("{} is not a library for this machine; build or install it again", path));
  }
  void* const code = mmap(nullptr, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, file.fd(), 0);
  if (code == MAP_FAILED) {
    return refuse(fmt::format(
        "{} cannot be loaded: {}; is its file system mounted noexec, or does a unit say "
        "NoExecPaths=? Install Gaiter where code may be executed",
        path, std::strerror(errno)));
  }
  munmap(code, 1);
  return {};
}

}  // namespace

std::expected<std::string, Refusal> find_library() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return refuse("cannot tell where gaiter is: /proc is not mounted");
  const std::string beside = self.parent_path() / "libgaiter.so";
  const std::string same_prefix = self.parent_path().parent_path() / "lib/gaiter/libgaiter.so";
  const std::string installed = GAITER_LIBDIR "/libgaiter.so";
  for (const std::string& library : {beside, same_prefix, installed}) {
    if (access(library.c_str(), R_OK) != 0) continue;
    if (library.find_first_of(" :") != std::string::npos) {
      return refuse(
          fmt::format("{} cannot be preloaded from a path with a space or a colon; "
                      "move it (ld.so(8))",
                      library));
    }
    const std::string core = std::filesystem::path(library).replace_filename("libgaiter-core.so");
    if (access(core.c_str(), R_OK) != 0) {
      return refuse(
          fmt::format("{} cannot be read, and libgaiter.so needs it: {}; build or install both",
                      core, std::strerror(errno)));
    }
    for (const std::string& file : {library, core})
      if (const auto loadable = check_loadable(file); !loadable)
        return std::unexpected(loadable.error());
    return library;
  }
  return refuse(
      fmt::format("libgaiter.so is neither {} nor {}; build or install it", beside, installed));
}

}  // namespace gaiter::cli
