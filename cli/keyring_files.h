// Files that the verbs of `gaiter keyring` read and write outside of the keyring.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "keyring/files.h"
#include "keyring/keyring.h"

namespace gaiter::cli {

// A file of at most 1 MiB; "-" is standard input.
keyring::Result<keyring::Content> read_input(const std::string& path);

// Writes the whole file or leaves what was there: a temporary beside it, renamed. "" is
// standard output. An existing file keeps neither mode nor owner; the new one has `mode`.
keyring::Result<void> write_output(const std::string& path, std::string_view text, mode_t mode);

// The passphrase in the first line of a file, or typed twice (once if not `confirm`) on
// the terminal. Never from the command line or the environment, where others see it.
keyring::Result<keyring::Content> read_passphrase(const std::string& file, bool confirm);

}  // namespace gaiter::cli
