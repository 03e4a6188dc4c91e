// What a CA of the keyring has revoked, and its certificate revocation list (RFC 5280 5).
#pragma once

#include <openssl/x509.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// A line of an entry's `revoked` (keyring/FORMAT.md).
struct Revoked {
  std::string serial;  // hexadecimal, upper case
  std::chrono::sys_seconds time;
  std::string reason;  // a word of RFC 5280 5.3.1: "keyCompromise"
  std::string subject;
};

// The reasons that may be given, "unspecified" first.
const std::vector<std::string>& revocation_reasons();

// The number of a reason; -1 for "unspecified", which is said by saying nothing.
int revocation_code(std::string_view reason);

// The reverse; "unspecified" for any other number.
std::string revocation_word(int code);

// What the CA `label` has revoked, oldest first; empty if nothing.
Result<std::vector<Revoked>> read_revoked(const Keyring& keyring, const std::string& label);

// How long a CRL is good when nobody says otherwise.
inline constexpr std::chrono::days usual_crl_life{30};

// The CA signs a new list of what it has revoked, with the next number, good for so long:
// one by its key, which comes first, and one by each key that it had before, for what these
// signed (list_signers()). They become the entry's `crl.pem`. With `added`, that is revoked
// first, in the same step; Kind::exists if it was already.
Result<std::vector<CrlPtr>> make_crl(const Keyring& keyring, const std::string& label,
                                     std::chrono::days lifetime,
                                     const std::optional<Revoked>& added = {});

// `crl.pem` as it shall be once `next` is the CA's key and certificate: signed by that too.
// Nothing if the CA keeps no lists.
Result<std::optional<std::string>> crls_after_rollover(const Keyring& keyring,
                                                       const std::string& label, Identity next);

// One PEM block after another.
Result<std::string> crls_to_pem(const std::vector<CrlPtr>& crls);

// RFC 5280 5.2.3; 0 if it has none.
long crl_number(const X509_CRL* crl);

}  // namespace gaiter::keyring
