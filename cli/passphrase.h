// Passphrases that the command needs: from a file, a descriptor, or the terminal; never
// from the command line or the environment, where others see them.
#pragma once

#include <string>

#include "keyring/files.h"
#include "keyring/keyring.h"

namespace gaiter::cli {

struct PassphraseOptions {
  std::string file;
  int fd = -1;

  bool given() const { return !file.empty() || fd >= 0; }
};

// Answers for every file with the same passphrase; it is asked for once, and only when
// needed.
keyring::AskPassphrase asking(const PassphraseOptions& options);

// One that is yet to be used: typed twice on the terminal.
keyring::Result<keyring::Content> new_passphrase(const PassphraseOptions& options);

}  // namespace gaiter::cli
