// The file of `map_user`: which certificate stands for which local user.
//
// One filter a line, the patterns first, as in `allow`, all of which must fit, then the
// user:
//
//     # who            as whom
//     subject:CN=batch,O=Example Ltd                     batch
//     dns:*.apps.internal  issuer:CN=Apps CA             apps
//
// Blank lines and lines that begin with # are passed over.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/settings.h"

namespace gaiter::policy {

struct UserFilter {
  std::vector<PeerPattern> patterns;
  std::string user;
};

// In the file's order. The file must be as safe as a policy's (policy/read.h).
std::expected<std::vector<UserFilter>, Error> load_user_map(const std::string& path);

// Where the map of a rule is if the rule does not name one: user.map beside the
// gaiter.conf of the policy that `rule_file` is of.
std::string default_user_map(const std::string& rule_file);

// Whether /etc/passwd has this user now: directory services may open connections,
// which a hooked program must not do in mid-handshake.
bool is_local_user(const std::string& name);

}  // namespace gaiter::policy
