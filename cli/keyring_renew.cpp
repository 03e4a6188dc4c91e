// renew, rekey, rollover: a certificate's succession.
#include "keyring/renew.h"

#include <fmt/format.h>

#include "cli/certificate.h"
#include "cli/keyring.h"
#include "cli/keyring_certificates.h"
#include "cli/output.h"

namespace gaiter::cli {

using keyring::Keyring;

int keyring_renew(const std::string& path, const std::string& label, int days) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto lifetime = days != 0 ? std::optional(std::chrono::days(days)) : std::nullopt;
  const auto entry = keyring::renew_entry(*keyring, label, lifetime);
  if (!entry) return report(entry.error());
  print(fmt::format("renewed {} in {}, valid until {}\n", label, keyring->path(),
                    facts_of(entry->leaf.get()).not_after));
  return exit_ok;
}

int keyring_rekey(const std::string& path, const std::string& label, const std::string& key_type,
                  bool again) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto type = key_type.empty() ? std::nullopt : keyring::key_type(key_type);
  const auto made = keyring::rekey_entry(*keyring, label, type, again);
  if (!made) return report(made.error());
  if (made->certificate != nullptr) {
    print(
        fmt::format("made a next key and certificate for {}, valid until {}\n"
                    "switch to it with: gaiter keyring rollover {}\n",
                    label, facts_of(made->certificate.get()).not_after, label));
  } else {
    print(
        fmt::format("made a next key for {}; its issuer is elsewhere:\n"
                    "  gaiter keyring request {}     prints the request for it\n"
                    "  gaiter keyring receive {} FILE     takes in the answer\n"
                    "  gaiter keyring rollover {}     switches to it\n",
                    label, label, label, label));
  }
  return exit_ok;
}

int keyring_rollover(const std::string& path, const std::string& label) {
  const auto keyring = open_keyring(path);
  if (!keyring) return report(keyring.error());
  const auto entry = keyring::roll_over_entry(*keyring, label);
  if (!entry) return report(entry.error());
  const CertificateFacts facts = facts_of(entry->leaf.get());
  print(fmt::format("{} in {} uses its new key: {}, valid until {}\n", label, keyring->path(),
                    facts.key_type, facts.not_after));
  return exit_ok;
}

}  // namespace gaiter::cli
