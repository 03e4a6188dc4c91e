#include "cli/keyring.h"

#include "cli/output.h"

namespace gaiter::cli {

std::string path_or_default(const std::string& keyring) {
  return keyring.empty() ? keyring::default_path() : keyring;
}

keyring::Result<keyring::Keyring> open_keyring(const std::string& keyring) {
  return keyring::Keyring::open(path_or_default(keyring), asking({}));
}

int report(const keyring::Error& error) {
  // A file's name, or a certificate's, may hold anything.
  say(printable(error.message));
  return error.kind == keyring::Error::Kind::not_found ? exit_attention : exit_refused;
}

}  // namespace gaiter::cli
