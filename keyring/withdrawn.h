// Whether a certificate was withdrawn, by what the keyring's revocation lists say.
#pragma once

#include <openssl/x509.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// The lists in those of `entries` that are trusted CAs': as Keyring::crls(), of a keyring
// that has been read already.
Result<std::vector<CrlPtr>> lists_of(const Keyring& keyring, const std::vector<Entry>& entries);

struct Withdrawn {
  std::string reason;  // a word of RFC 5280 5.3.1: "keyCompromise"
  std::chrono::sys_seconds time;

  // Whether the key itself is in wrong hands, so that no certificate for it is any good.
  bool is_key_lost() const { return reason == "keyCompromise" || reason == "cACompromise"; }
};

// Nothing if no list of the certificate's issuer names it. Neither signatures nor dates are
// looked at: who is once on a list stays withdrawn, and lists are verified as they come in.
std::optional<Withdrawn> find_withdrawn(const std::vector<CrlPtr>& lists, const X509* certificate);

// The reason alone; "" if no list names it.
std::string withdrawn_word(const std::vector<CrlPtr>& lists, const X509* certificate);

// "was revoked on 2026-01-31T12:00:00Z (keyCompromise)"
std::string withdrawn_text(const Withdrawn& withdrawn);

}  // namespace gaiter::keyring
