#include "cli/keyring.h"

#include "cli/output.h"

namespace gaiter::cli {

std::string path_or_default(const std::string& keyring) {
  return keyring.empty() ? keyring::default_path() : keyring;
}

int report(const keyring::Error& error) {
  say(error.message);
  return error.kind == keyring::Error::Kind::not_found ? exit_attention : exit_refused;
}

}  // namespace gaiter::cli
