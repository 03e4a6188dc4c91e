// A certificate's succession: renewed for the same key, or a new key beside the old that
// takes its place in one step.
//
// Every function changes the keyring as keyring/store.h's do: wholly or not at all.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "keyring/key_type.h"
#include "keyring/keyring.h"
#include "keyring/request.h"

namespace gaiter::keyring {

// A new certificate for the same key, subject, names and uses, by the CA of the keyring
// that signed the old one, or self-signed as it was. Without `lifetime` it lives as long
// as the old one did from its beginning. Kind::invalid if the old one was revoked because
// somebody else has the key.
Result<Entry> renew_entry(const Keyring& keyring, const std::string& label,
                          std::optional<std::chrono::days> lifetime);

// A new key beside the old, of the same kind unless `type` says another, and its
// certificate as renew_entry() makes it; nothing that is in use changes. If the issuer is
// elsewhere, `request` is what it must sign. Kind::exists if there is a next key already,
// unless `again`.
struct Rekeyed {
  CertificatePtr certificate;  // null if it must be asked for
  RequestPtr request;          // null if it must not
};
Result<Rekeyed> rekey_entry(const Keyring& keyring, const std::string& label,
                            std::optional<KeyType> type, bool again);

// The next key and certificate take the place of those in use; the old certificate is kept
// until it expires, and of a CA the old key too, to sign the lists of what it signed
// (keyring/former_keys.h); its revocation lists are signed anew by both. Kind::invalid if there is
// no next certificate, or it is not valid now.
Result<Entry> roll_over_entry(const Keyring& keyring, const std::string& label);

// When a certificate should be renewed: when so much of its life is over, or so little is
// left.
struct RenewalThreshold {
  std::optional<int> percent;  // 1-99 of its life
  std::chrono::days left{};    // without percent
};
bool needs_renewal(const X509* certificate, const RenewalThreshold& threshold);

}  // namespace gaiter::keyring
