// `gaiter keyring VERB`: one function a verb, of those that manage entries
// (cli/keyring_certificates.h has the others).
//
// `keyring` is a path; "" = keyring::default_path(). Each returns the exit code;
// exit_attention says that there is no entry of that label.
#pragma once

#include <string>
#include <string_view>

#include "keyring/keyring.h"

namespace gaiter::cli {

int keyring_list(const std::string& keyring, bool json);
int keyring_show(const std::string& keyring, const std::string& label, bool json);
int keyring_default(const std::string& keyring, const std::string& label);

struct ImportOptions {
  std::string certificate_file;
  std::string key_file;  // "" = in certificate_file, or none
  std::string usage;     // "" = personal with a key, else ca or site by the certificate
  bool replace = false;
};
int keyring_import(const std::string& keyring, const std::string& label,
                   const ImportOptions& options);

// ---- shared by the verbs ----

std::string path_or_default(const std::string& keyring);

// Says what went wrong and gives its exit code.
int report(const keyring::Error& error);

}  // namespace gaiter::cli
