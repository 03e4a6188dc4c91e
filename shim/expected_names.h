// From what the program looked up, and what its rule says, to whom a connection expects.
#pragma once

#include <sys/socket.h>

#include "engine/expected_peer.h"
#include "policy/settings.h"

namespace gaiter::shim {

// For a connection to `address`, which the program has at `memory` (nullptr: nobody knows
// where). The rule's server_name, in which %h is the name that was looked up; the address,
// if none was. Of names that the rule calls interchangeable the best guess counts alone.
engine::ExpectedPeer expected_names(const policy::Settings& settings, const sockaddr* address,
                                    const void* memory);

}  // namespace gaiter::shim
