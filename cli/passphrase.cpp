#include "cli/passphrase.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "cli/keyring_files.h"
#include "cli/output.h"

namespace gaiter::cli {
namespace {

using keyring::Content;
using keyring::Result;

std::string file_of(const PassphraseOptions& options) {
  return options.fd >= 0 ? fmt::format("/dev/fd/{}", options.fd) : options.file;
}

Content copy(const Content& content) {
  return Content(std::vector<char>(content.view().begin(), content.view().end()));
}

}  // namespace

keyring::AskPassphrase asking(const PassphraseOptions& options) {
  const auto known = std::make_shared<std::unique_ptr<Content>>();
  return [options, known](const std::string& file) -> Result<Content> {
    if (*known == nullptr) {
      if (!options.given() && isatty(STDERR_FILENO) != 0)
        say(fmt::format("{} is encrypted", printable(file)));
      auto read = read_passphrase(file_of(options), false);
      if (!read) {
        read.error().message = fmt::format("{} is encrypted: {}", file, read.error().message);
        return read;
      }
      *known = std::make_unique<Content>(*std::move(read));
    }
    return copy(**known);
  };
}

Result<Content> new_passphrase(const PassphraseOptions& options) {
  return read_passphrase(file_of(options), true);
}

}  // namespace gaiter::cli
