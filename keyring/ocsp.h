// OCSP responses that are kept to be stapled (RFC 6960, RFC 6066 8).
#pragma once

#include <string>
#include <string_view>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// Whether a peer would accept `der` now as a statement about `leaf`: a successful
// basic response that speaks of its serial number and has not run out. The signature
// is not looked at: the peer will. Otherwise why not, in words to follow a file's
// name.
Result<void> check_ocsp_response(std::string_view der, const X509* leaf);

}  // namespace gaiter::keyring
