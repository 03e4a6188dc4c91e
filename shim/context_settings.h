// From a rule of the policy and a keyring to what the engine is told.
#pragma once

#include <expected>
#include <string>

#include "engine/context.h"
#include "policy/policy.h"

namespace gaiter::shim {

// Whether we are the TLS server: as the rule's `role` says, else by who connected.
bool is_server(const policy::Rule& rule);

// Reads from the keyring at `keyring_path` what `rule` needs of it, and nothing if
// it needs nothing. Slow (files, keys, bundles of CAs); not for signal handlers.
std::expected<engine::ContextSettings, engine::Failure> context_settings(
    const policy::Rule& rule, const std::string& keyring_path);

}  // namespace gaiter::shim
