// The keys under which a server hides sessions in tickets (RFC 5077 4, RFC 8446
// 4.6.1): AES-256-CBC and HMAC-SHA-256, as OpenSSL's own, but ours to share.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <vector>

#include "keyring/ticket_keys.h"

namespace gaiter::engine {

// Immutable, thread-safe.
class TicketKeys {
 public:
  // Of `shared` the first encrypts and all decrypt. If it is empty the key is the
  // process's own: random, the same in all contexts, and in children forked after
  // make_own_ticket_key().
  explicit TicketKeys(const std::vector<keyring::TicketKey>& shared);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it: readies `cipher` and `mac` to
  // make a ticket, and gives its `name` and `iv`, or to open the one of that name.
  // -1 error, 0 no such key, 1 done, 2 done, but the ticket should be replaced.
  int prepare(uint8_t name[16], uint8_t iv[EVP_MAX_IV_LENGTH], EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, bool encrypt) const;

 private:
  struct Key {
    std::array<uint8_t, 16> name;
    std::array<uint8_t, 32> aes;
    std::array<uint8_t, 32> hmac;
  };
  static Key derive(const keyring::TicketKey& from);

  std::vector<Key> keys_;
};

// Before a server forks its workers, so that each opens the tickets of the others.
// Costs a microsecond; once is enough.
void make_own_ticket_key();

}  // namespace gaiter::engine
