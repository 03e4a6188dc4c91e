// `gaiter check`: everything that can be known of a policy and its keyring
// without a connection.
#pragma once

#include <string>
#include <vector>

#include "keyring/keyring.h"
#include "policy/policy.h"

namespace gaiter::cli {

struct CheckOptions {
  std::string path;     // "" = where a process would look
  std::string keyring;  // "" = as the policy names it
  bool json = false;
};

int check(const CheckOptions& options);

// Something wrong with a certificate that a rule uses.
struct Finding {
  enum class Severity { warning, error };
  Severity severity;
  policy::Error where_and_what;
};

// The keyring of a process under `policy`.
std::string keyring_path(const policy::Policy& policy);

// Whether a connection under `rule` cannot do without a keyring.
bool needs_keyring(const policy::Rule& rule);

// Whether it needs an entry that somebody must have put into the keyring.
bool needs_label(const policy::Rule& rule);

// Labels that are not in the keyring, identities that cannot be used (errors),
// certificates that have expired (errors) or expire within 30 days (warnings).
std::vector<Finding> check_certificates(const policy::Policy& policy,
                                        const keyring::Keyring& keyring);

}  // namespace gaiter::cli
