// The back end that every machine has: OpenSSL's EVP ciphers.
#pragma once

#include "engine/aead_back_end.h"

namespace gaiter::engine {

extern const AeadBackEnd openssl_back_end;

}  // namespace gaiter::engine
