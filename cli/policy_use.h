// Which rules of the policy in force use an entry of a keyring.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "keyring/keyring.h"
#include "policy/policy.h"

namespace gaiter::cli {

class PolicyUse {
 public:
  // The policy that a program started here would have. Of another keyring, or without
  // a policy, nothing is used. A policy that cannot be read is an error: who knows what
  // it uses?
  static std::expected<PolicyUse, policy::Error> of(const keyring::Keyring& keyring);

  // Names of the rules that show the entry to peers, as log lines have them: by its
  // label, or as the default.
  std::vector<std::string> rules(const std::string& label, bool is_default) const;

 private:
  struct Needs {
    std::string rule;
    std::vector<std::string> labels;  // "" = the default
  };
  std::vector<Needs> needs_;
};

}  // namespace gaiter::cli
