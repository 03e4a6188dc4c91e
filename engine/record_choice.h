// Which AEAD back end protects the records of a context's connections.
#pragma once

#include <expected>
#include <optional>

#include "engine/aead.h"
#include "engine/context_settings.h"
#include "engine/failure.h"

namespace gaiter::engine {

// Why the back end that the policy insists on is not to be had on this machine;
// nothing if it is, or if the policy does not insist.
std::optional<Failure> missing_engine(const ContextSettings& settings);

// For a connection with `cipher`; a Failure if the policy insists on one that does
// not have this cipher.
std::expected<BackEnd, Failure> choose_back_end(const ContextSettings& settings, Cipher cipher);

}  // namespace gaiter::engine
