// Writing a keyring: new entries, imports, the default, the internal CA.
//
// Every function leaves the keyring as it was, or wholly changed, also if the
// machine dies: an entry is built in a temporary directory, fsynced and renamed
// into place under a lock, for which a function may wait. Certificates are public
// (files 0644, entries' directories 0755) and key files 0600, whatever the umask.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/extensions.h"
#include "keyring/keyring.h"
#include "keyring/writer.h"

namespace gaiter::keyring {

struct NewCertificate {
  std::string label;                   // 1-64 of A-Z a-z 0-9 . _ - + @, not beginning with . or -
  std::string common_name;             // 1-64 bytes
  std::vector<std::string> dns_names;  // "*" may be the first label
  std::vector<std::string> ip_addresses;  // IPv4 or IPv6 in text
  std::chrono::days lifetime{397};        // 1-36500, but never beyond the signer's
  bool is_ca = false;
  std::string signer = {};               // label of a CA entry with a key; "" = self-signed
  std::vector<std::string> uris = {};    // "spiffe://prod/web"
  std::vector<std::string> emails = {};  // "ops@example.org"
  KeyType key_type = KeyType::ec_p256;
  KeyPurpose purpose = KeyPurpose::both;  // of a leaf
  CaLimits limits = {};                   // of a CA; it signs leaves only (path length 0)
};

// Makes an empty keyring, and its parent directories, if it is not there. Opens it
// if it is. Kind::invalid if the directory holds anything else.
Result<Keyring> create_keyring(const std::string& path, AskPassphrase ask = nullptr);

// Makes a key and its certificate, as a personal entry, or as a trusted
// ca entry if `is_ca`. Kind::exists if the label is taken.
Result<Entry> create_entry(const Keyring& keyring, const NewCertificate& request);

// A file to import; borrowed.
struct ImportFile {
  std::string name;  // for messages
  std::string_view bytes;
};

struct Import {
  std::vector<ImportFile> files;
  std::optional<Usage> usage = {};  // else personal with a key, ca if all are CAs', site
  std::string item = {};            // the friendly name in a PKCS#12 file with several keys
  bool replace = false;
  std::vector<std::string>* skipped = nullptr;  // gets what the files hold beside, in words
};

// Imports what is in the files, in any order: certificates and perhaps a private key, as
// PEM, DER, PKCS#7 or PKCS#12. Each has at most 1 MiB. The leaf is the certificate that
// fits the key, and its chain is sorted. Usage `personal` needs the key, `site` must
// have none, `ca` takes certificates of CAs only, any number. `ask` is called for
// encrypted keys and files. Kind::exists if the label is taken, unless `replace`.
Result<Entry> import_entry(const Keyring& keyring, std::string_view label, const Import& import,
                           const AskPassphrase& ask);

// The same of one file.
Result<Entry> import_entry(const Keyring& keyring, std::string_view label, Usage usage,
                           std::string_view pem, bool replace);

// Puts what is given under the label. Kind::exists if that is taken, unless `replace`.
Result<Entry> put_entry(const Keyring& keyring, const std::string& label, const NewEntry& entry,
                        bool replace);

// `label` must be a personal entry with a key.
Result<void> set_default(const Keyring& keyring, std::string_view label);

// A distrusted entry stays, but vouches for nobody and is shown to nobody.
Result<void> set_trust(const Keyring& keyring, const std::string& label, bool trusted);

// Kind::exists if `to` is taken. Who is connected to the entry from another keyring loses it.
Result<void> rename_entry(const Keyring& keyring, const std::string& from, const std::string& to);

// Whether anybody still needs the entry is the caller's to know.
Result<void> delete_entry(const Keyring& keyring, const std::string& label);

// Makes an entry that stands for `target` of the keyring `other` (a directory, or
// `system:`, whose only entry is "system"). It has a usage, a label and trust of its own,
// and nothing else: what changes there changes here. A target that is itself connected
// is followed to where it really is. Kind::exists if the label is taken.
Result<Entry> connect_entry(const Keyring& keyring, const std::string& label, const Keyring& other,
                            const std::string& target, std::optional<Usage> usage);

// Kind::invalid if the entry is not connected: it would be lost.
Result<void> disconnect_entry(const Keyring& keyring, const std::string& label);

// Writes every private key anew under `passphrase`, and all that will come. Keys that
// are encrypted already are read by keyring.ask() (and by `passphrase`, so that it can be
// done again after a crash in the middle). `passphrase_file`: where services find it;
// "" = by a credential. Returns how many keys there were.
Result<size_t> encrypt_keys(const Keyring& keyring, std::string_view passphrase,
                            const std::string& passphrase_file);

// The reverse.
Result<size_t> decrypt_keys(const Keyring& keyring);

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
