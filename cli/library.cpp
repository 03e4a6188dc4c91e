#include "cli/library.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/output.h"

namespace gaiter::cli {
namespace {

std::unexpected<Refusal> refuse(std::string message) {
  return std::unexpected(Refusal{exit_refused, std::move(message)});
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
    return library;
  }
  return refuse(
      fmt::format("libgaiter.so is neither {} nor {}; build or install it", beside, installed));
}

}  // namespace gaiter::cli
