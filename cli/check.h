// `gaiter check`: everything that can be known of a policy and its keyring
// without a connection.
#pragma once

#include <string>

#include "cli/check_certificates.h"

namespace gaiter::cli {

struct CheckOptions {
  std::string path;     // "" = where a process would look
  std::string keyring;  // "" = as the policy names it
  int soon = expires_soon_days;
  bool json = false;
};

int check(const CheckOptions& options);

}  // namespace gaiter::cli
