// Groups for key exchange (RFC 8446, section 4.2.7), as far as OpenSSL has them.
#pragma once

#include <string>

namespace gaiter::engine {

// Whether the OpenSSL in use has a group, by OpenSSL's name: "X25519MLKEM768".
bool has_group(const std::string& name);

}  // namespace gaiter::engine
