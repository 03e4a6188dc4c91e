#include "cli/keyring.h"
#include "cli/output.h"
#include "keyring/store.h"

namespace gaiter::cli {

int keyring_default(const std::string& path, const std::string& label) {
  const auto keyring = keyring::Keyring::open(path_or_default(path));
  if (!keyring) return report(keyring.error());
  const auto done = keyring::set_default(*keyring, label);
  if (!done) return report(done.error());
  print(label + " is now the default of " + keyring->path() + "\n");
  return exit_ok;
}

}  // namespace gaiter::cli
