// What can be said of a policy's rules and the certificates in its keyring.
#pragma once

#include <string>

#include "cli/finding.h"
#include "keyring/keyring.h"

namespace gaiter::cli {

inline constexpr int expires_soon_days = 30;

// The keyring of a process under `policy`: the one that it names, or the user's own.
std::string keyring_path(const policy::Policy& policy);

// Whether a connection under `rule` cannot do without a keyring.
bool needs_keyring(const policy::Rule& rule);

// Whether it needs an entry that somebody must have put into the keyring.
bool needs_label(const policy::Rule& rule);

// Labels that are not in the keyring, identities that cannot be used, certificates
// that have expired (errors); those that expire within so many days, or that do
// not fit the names and the role of the rule (warnings).
Findings check_certificates(const policy::Policy& policy, const keyring::Keyring& keyring,
                            int soon = expires_soon_days);

}  // namespace gaiter::cli
