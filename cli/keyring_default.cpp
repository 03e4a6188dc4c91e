#include <fmt/format.h>

#include "cli/keyring.h"
#include "cli/output.h"
#include "keyring/store.h"

namespace gaiter::cli {

int keyring_default(const std::string& path, const std::string& label) {
  const auto keyring = keyring::Keyring::open(path_or_default(path));
  if (!keyring) return report(keyring.error());
  const auto done = keyring::set_default(*keyring, label);
  if (!done) return report(done.error());
  print(fmt::format("{} is now the default of {}\n", label, keyring->path()));
  return exit_ok;
}

}  // namespace gaiter::cli
