// `gaiter keyring VERB`: one function a verb, of those that manage entries
// (cli/keyring_certificates.h has the others).
//
// `keyring` is a path; "" = keyring::default_path(). Each returns the exit code;
// exit_attention says that there is no entry of that label.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/passphrase.h"
#include "keyring/keyring.h"

namespace gaiter::cli {

int keyring_list(const std::string& keyring, bool json);
int keyring_show(const std::string& keyring, const std::string& label, bool json);
int keyring_default(const std::string& keyring, const std::string& label);
int keyring_trust(const std::string& keyring, const std::string& label, bool trusted);
int keyring_rename(const std::string& keyring, const std::string& label, const std::string& to);
// Refused while a rule of the policy uses it, unless `force`.
int keyring_delete(const std::string& keyring, const std::string& label, bool force);

struct ConnectOptions {
  std::string from;   // a keyring
  std::string entry;  // its label there; "" = the same
  std::string usage;  // "" = as there
};
int keyring_connect(const std::string& keyring, const std::string& label,
                    const ConnectOptions& options);
int keyring_disconnect(const std::string& keyring, const std::string& label, bool force);

struct ImportOptions {
  std::vector<std::string> files;  // "-" = standard input
  std::string certificate_file;    // one more
  std::string key_file;            // one more
  std::string usage;               // "" = personal with a key, else ca or site by the certificate
  std::string item;                // the key's name in a PKCS#12 file with several
  PassphraseOptions passphrase;
  bool replace = false;
};
int keyring_import(const std::string& keyring, const std::string& label,
                   const ImportOptions& options);

struct ExportOptions {
  std::string out;     // "" = standard output
  std::string format;  // "pem", "der", "pkcs12"
  bool private_key = false;
  bool leaf_only = false;
  bool replace = false;          // `out` may be there
  PassphraseOptions passphrase;  // of what is written
};
int keyring_export(const std::string& keyring, const std::string& label,
                   const ExportOptions& options);

struct PasswdOptions {
  PassphraseOptions passphrase;  // the new one
  PassphraseOptions old;
  std::string for_services;  // the file in which services find it; "" = in a credential
  bool decrypt = false;
};
int keyring_passwd(const std::string& keyring, const PasswdOptions& options);

// Which entries' keys belong to the certificate or request in `file`. exit_attention:
// none.
int keyring_match(const std::string& keyring, const std::string& file, bool json);

// exit_attention: warnings; exit_refused: errors.
int keyring_audit(const std::string& keyring, bool json);

// ---- shared by the verbs ----

std::string path_or_default(const std::string& keyring);

// The keyring; a person is asked for the passphrase of its keys.
keyring::Result<keyring::Keyring> open_keyring(const std::string& keyring);

// Says what went wrong and gives its exit code.
int report(const keyring::Error& error);

}  // namespace gaiter::cli
