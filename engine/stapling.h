// OCSP responses in the handshake (RFC 6066 8, RFC 8446 4.4.2.1, RFC 6960).
#pragma once

#include <openssl/ssl.h>

#include <ctime>
#include <expected>
#include <span>
#include <vector>

#include "engine/failure.h"
#include "keyring/keyring.h"

namespace gaiter::engine {

// Server: the responses that the certificates of a context have. Immutable.
class Staples {
 public:
  // `identity` must outlive it.
  void add(const keyring::Identity& identity);

  bool empty() const { return staples_.empty(); }

  // Gives `ssl` the response for the certificate that it will show, if there is one
  // that has not run out. As a status callback returns it.
  int attach(SSL* ssl) const;

 private:
  struct Staple {
    const X509* leaf;
    std::span<const uint8_t> response;
    std::time_t until;
  };
  std::vector<Staple> staples_;
};

// Client: what the server stapled to its verified chain must say that it is good.
// The time until which it does, or why it will not do. `trust` is what the chain was
// verified with.
std::expected<std::time_t, Failure> check_staple(SSL* ssl, X509_STORE* trust);

}  // namespace gaiter::engine
