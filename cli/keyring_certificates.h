// The verbs of `gaiter keyring` that make certificates: one function a verb, as in
// cli/keyring.h.
#pragma once

#include <string>
#include <vector>

namespace gaiter::cli {

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

}  // namespace gaiter::cli
