// `gaiter run`: starts a program with libgaiter.so preloaded, after making sure
// that it will be protected.
#pragma once

#include <string>
#include <vector>

namespace gaiter::cli {

struct RunOptions {
  std::string policy;                // a file or a directory; "" = none named
  std::string keyring;               // "" = as the policy names it
  std::vector<std::string> listen;   // ports, "6379" or "7000-7010"
  std::vector<std::string> connect;  // the same
  std::string client_auth;           // "" = not said
  std::vector<std::string> allow;    // patterns, or "any-trusted"
  std::string client_certificate;    // a label or "default"; "" = not said
  bool strict = false;
  bool quiet = false;
  std::vector<std::string> command;  // the program and its arguments
};

// Returns, with an exit code, only if the program was not started.
int run(const RunOptions& options);

}  // namespace gaiter::cli
