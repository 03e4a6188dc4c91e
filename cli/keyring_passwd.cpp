#include <fmt/format.h>

#include "cli/keyring.h"
#include "cli/output.h"
#include "keyring/passphrase.h"
#include "keyring/store.h"

namespace gaiter::cli {
namespace {

// How services find the passphrase, in words.
std::string advice(const PasswdOptions& options) {
  if (!options.for_services.empty())
    return fmt::format("services find the passphrase in {}", options.for_services);
  return fmt::format(
      "give services the passphrase as a credential (LoadCredential={}:FILE, systemd.exec(5)), or "
      "name a file with --for-services",
      keyring::passphrase_credential);
}

}  // namespace

int keyring_passwd(const std::string& path, const PasswdOptions& options) {
  const auto keyring = keyring::Keyring::open(path_or_default(path), asking(options.old));
  if (!keyring) return report(keyring.error());
  if (options.decrypt) {
    const auto count = keyring::decrypt_keys(*keyring);
    if (!count) return report(count.error());
    print(fmt::format("{} private key{} of {} no longer need{} a passphrase\n", *count,
                      *count == 1 ? "" : "s", keyring->path(), *count == 1 ? "s" : ""));
    return exit_ok;
  }
  const auto passphrase = options.for_services.empty() || options.passphrase.given()
                              ? new_passphrase(options.passphrase)
                              : keyring::read_passphrase(options.for_services);
  if (!passphrase) return report(passphrase.error());
  std::string services;
  if (!options.for_services.empty()) {
    // It must be the same, and nobody else may read it.
    const auto file = keyring::absolute_path(options.for_services);
    if (!file) return report(file.error());
    const auto found = keyring::read_passphrase(*file);
    if (!found) return report(found.error());
    if (found->view() != passphrase->view()) {
      say(fmt::format("{} holds another passphrase", *file));
      return exit_refused;
    }
    services = *file;
  }
  const auto count = keyring::encrypt_keys(*keyring, passphrase->view(), services);
  if (!count) return report(count.error());
  print(fmt::format("encrypted {} private key{} of {}; {}\n", *count, *count == 1 ? "" : "s",
                    keyring->path(), advice(options)));
  return exit_ok;
}

}  // namespace gaiter::cli
