// How Gaiter hears of TLS 1.3's traffic secrets: where OpenSSL would write its
// key log (SSL_CTX_set_keylog_callback(3)).
//
// That log is in hex, made byte by byte with sprintf: a tenth of a resumed
// handshake. A link with --wrap=ssl_log_secret brings the same call here before
// the hex is made; without that option the key log itself is read. Either way
// the secrets go to the TrafficSecrets that a SSL object was given.
#pragma once

#include <openssl/ssl.h>

#include "engine/hand_over.h"

namespace gaiter::engine {

// Once for each SSL_CTX, before its SSL objects are made.
void install_secret_log(SSL_CTX* context);

// Where the secrets of `ssl` go; must outlive it, or be replaced by null.
void send_secrets_to(SSL* ssl, TrafficSecrets* secrets);

}  // namespace gaiter::engine
