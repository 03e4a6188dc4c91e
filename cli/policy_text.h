// The policy that `gaiter run`'s options stand for, in gaiter.conf syntax.
#pragma once

#include <string>
#include <vector>

namespace gaiter::cli {

struct RuleOptions {
  std::vector<std::string> listen;   // ports, "6379" or "7000-7010"
  std::vector<std::string> connect;  // the same
  std::string client_auth;           // of the inbound rule; "" = not said
  std::vector<std::string> allow;    // of the inbound rule, as a policy writes them
  std::string client_certificate;    // shown by the outbound rule; "" = not said
  std::string keyring;               // "" = not said
  bool strict = false;
};

// One line, for programs read their environment by lines. "" if the options say
// nothing.
std::string policy_text(const RuleOptions& options);

// The setting that names the keyring, to be put behind such a text.
std::string keyring_setting(const std::string& path);

}  // namespace gaiter::cli
