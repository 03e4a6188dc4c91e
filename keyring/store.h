// Writing a keyring: new entries, imports, the default, the internal CA.
//
// Every function leaves the keyring as it was, or wholly changed, also if the
// machine dies: an entry is built in a temporary directory, fsynced and renamed
// into place under a lock, for which a function may wait. Certificates are public
// (files 0644, entries' directories 0755) and key files 0600, whatever the umask.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

struct NewCertificate {
  std::string label;                   // 1-64 of A-Z a-z 0-9 . _ - + @, not beginning with . or -
  std::string common_name;             // 1-64 bytes
  std::vector<std::string> dns_names;  // "*" may be the first label
  std::vector<std::string> ip_addresses;  // IPv4 or IPv6 in text
  std::chrono::days lifetime{397};        // 1-36500, but never beyond the signer's
  bool is_ca = false;                     // one that signs leaves only (path length 0)
  std::string signer;                     // label of a CA entry with a key; "" = self-signed
};

// Makes an empty keyring, and its parent directories, if it is not there. Opens it
// if it is. Kind::invalid if the directory holds anything else.
Result<Keyring> create_keyring(const std::string& path);

// Makes an EC P-256 key and its certificate, as a personal entry, or as a trusted
// ca entry if `is_ca`. Kind::exists if the label is taken.
Result<Entry> create_entry(const Keyring& keyring, const NewCertificate& request);

// Imports PEM: certificates and, if present, the private key, in any order (or DER
// of a single certificate). At most 1 MiB. The leaf is the certificate that fits
// the key, and its chain is sorted. Usage `personal` needs the key, `site` must
// have none, `ca` takes certificates of CAs only, any number. Kind::exists if the
// label is taken, unless `replace`.
Result<Entry> import_entry(const Keyring& keyring, std::string_view label, Usage usage,
                           std::string_view pem, bool replace);

// `label` must be a personal entry with a key.
Result<void> set_default(const Keyring& keyring, std::string_view label);

// What the internal CA of a host is made from: "gaiter-ca", the common name "Gaiter
// CA on HOST" (cut to what fits), 10 years.
NewCertificate internal_ca(const std::string& host_name);

// First use on a machine without a keyring: makes `path`, an internal CA
// ("gaiter-ca", 10 years) and a default certificate ("localhost", 397 days) for
// localhost, the host's name and its addresses, 127.0.0.1 and ::1. If the keyring
// exists already it is opened and left alone; of several processes at once one
// makes it. `made` tells which. May wait 2 s for a name server.
struct FirstUse {
  Keyring keyring;
  bool made;
};
Result<FirstUse> open_or_create(const std::string& path);

}  // namespace gaiter::keyring
