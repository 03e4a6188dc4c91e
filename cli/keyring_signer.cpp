#include "cli/keyring_signer.h"

#include <fmt/format.h>

#include "cli/output.h"
#include "keyring/errors.h"
#include "keyring/host_names.h"
#include "keyring/store.h"

namespace gaiter::cli {

using keyring::Error;
using keyring::Keyring;
using keyring::Result;

Result<std::string> find_ca(const Keyring& keyring) {
  const auto entries = keyring.entries();
  if (!entries) return std::unexpected(entries.error());
  std::string label;
  for (const keyring::Entry& entry : *entries) {
    if (entry.usage != keyring::Usage::ca || !entry.has_key) continue;
    if (!label.empty()) {
      return keyring::fail(
          Error::Kind::invalid,
          fmt::format("{} and {} could both sign: choose with --ca LABEL", label, entry.label));
    }
    label = entry.label;
  }
  if (!label.empty()) return label;
  return keyring::fail(Error::Kind::not_found,
                       fmt::format("{} has no CA with a key; make one with: gaiter keyring ca "
                                   "create LABEL",
                                   keyring.path()));
}

Result<std::string> find_or_make_ca(const Keyring& keyring) {
  auto found = find_ca(keyring);
  if (found || found.error().kind != Error::Kind::not_found) return found;
  const auto made =
      keyring::create_entry(keyring, keyring::internal_ca(keyring::host_names().name));
  if (!made) return std::unexpected(made.error());
  print(fmt::format("made the CA {}, as there was none\n", made->label));
  return made->label;
}

}  // namespace gaiter::cli
