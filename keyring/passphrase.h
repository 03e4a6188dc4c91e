// The passphrases of encrypted keys: a service has nobody to ask, and finds its own.
#pragma once

#include <string>

#include "keyring/files.h"
#include "keyring/keyring.h"

namespace gaiter::keyring {

// In the directory of systemd's credentials (systemd.exec(5), LoadCredential=).
inline constexpr const char* passphrase_credential = "gaiter-passphrase";

// The passphrase in a file: its content but for one newline at the end. Only root and
// the effective user may have access to it, and only they may change its directory.
Result<Content> read_passphrase(const std::string& path);

// The passphrase for `what`, a file that holds an encrypted key. Tried in this order:
// the credential `gaiter-passphrase` of the service ($CREDENTIALS_DIRECTORY, not heeded
// in secure-execution mode), the file that keyring.conf names ("" = none), a person
// (null = nobody is there). Kind::invalid, with what to do, if nothing gives one.
Result<Content> find_passphrase(const std::string& what, const std::string& file,
                                const AskPassphrase& ask);

}  // namespace gaiter::keyring
