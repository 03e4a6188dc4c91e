// Writing a keyring: new entries, imports, the default, the internal CA.
//
// Every function leaves the keyring as it was, or wholly changed: an entry is
// built in a temporary directory, fsynced and renamed into place under a lock.
// Key files are never wider than 0600.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

struct NewCertificate {
  std::string label;
  std::string common_name;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::chrono::days lifetime{397};
  bool is_ca = false;
  std::string signer;  // label of a CA entry with a key; "" = self-signed
};

// Makes the directory (mode 0700... its parents 0755) if it is not there.
Result<Keyring> create_keyring(const std::string& path);

// Makes an EC P-256 key and its certificate.
Result<Entry> create_entry(const Keyring& keyring, const NewCertificate& request);

// Imports PEM: certificates (leaf first) and, if present, the private key.
// Usage `personal` needs the key. Fails with Kind::exists unless `replace`.
Result<Entry> import_entry(const Keyring& keyring, std::string_view label, Usage usage,
                           std::string_view pem, bool replace);

Result<void> set_default(const Keyring& keyring, std::string_view label);

// First use on a machine without a keyring: makes `path`, an internal CA
// ("gaiter-ca") and a default certificate ("localhost") for localhost, the
// host's name and its addresses, 127.0.0.1 and ::1. If the keyring exists
// already it is opened and left alone. `made` tells which.
struct FirstUse {
  Keyring keyring;
  bool made;
};
Result<FirstUse> open_or_create(const std::string& path);

}  // namespace gaiter::keyring
