// `gaiter explain`: what would happen to a connection, and why.
#pragma once

#include <string>

namespace gaiter::cli {

struct ExplainOptions {
  std::string direction;  // "inbound" or "outbound"
  std::string local;      // "127.0.0.1:6379"; "" = not known
  std::string remote;
  std::string program;  // a path; "" = not known
  std::string user;     // a name or number; "" = who runs the command
  std::string group;    // "" = the user's
  std::string unit;     // "redis.service"; "" = none
  std::string policy;   // "" = where a process would look
  std::string keyring;  // "" = as the policy names it
  bool json = false;
};

// exit_attention if no rule is for the connection.
int explain(const ExplainOptions& options);

}  // namespace gaiter::cli
