// `gaiter keyring VERB`: one function a verb.
//
// `keyring` is a path; "" = keyring::default_path(). Each returns the exit code;
// exit_attention says that there is no entry of that label.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::cli {

int keyring_list(const std::string& keyring, bool json);
int keyring_show(const std::string& keyring, const std::string& label, bool json);
int keyring_default(const std::string& keyring, const std::string& label);

struct CreateOptions {
  std::string common_name;       // "" = the label
  std::vector<std::string> dns;  // neither dns nor ip: this host
  std::vector<std::string> ip;
  int days = 0;    // 0 = 397, a CA 3650
  std::string ca;  // "" = the keyring's own CA, made if there is none
  bool self_signed = false;
  bool make_ca = false;
  bool make_default = false;
};
int keyring_create(const std::string& keyring, const std::string& label,
                   const CreateOptions& options);

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
