// What a person wants to know of an X.509 certificate (RFC 5280) or request (RFC 2986),
// as values.
#pragma once

#include <openssl/x509.h>

#include <string>
#include <vector>

#include "cli/output.h"
#include "keyring/keyring.h"
#include "keyring/listing.h"

namespace gaiter::cli {

// All strings are printable().
struct CertificateFacts {
  std::string subject;  // RFC 4514
  std::string issuer;   // RFC 4514
  std::vector<std::string>
      names;                    // subjectAltName: "dns:localhost", "ip:::1", "uri:...", "email:..."
  std::string key_type;         // "EC P-256", "RSA 2048", "Ed25519"
  std::string serial;           // hexadecimal
  std::string fingerprint;      // SHA-256 of the certificate, hexadecimal
  std::string key_fingerprint;  // the same of its public key (SubjectPublicKeyInfo)
  std::string not_before;       // "2026-01-31T12:00:00Z"
  std::string not_after;
  long days_left;      // whole days; negative once it has expired
  long lifetime_days;  // from not_before to not_after
  bool expired;
  bool is_ca;
};

CertificateFacts facts_of(X509* certificate);

// As above.
struct RequestFacts {
  std::string subject;
  std::vector<std::string> names;
  std::string key_type;
};

// What a person should know of an entry that is trusted as it is (`site`) and says that it
// is a CA; "" of any other.
std::string remark_on_site(const keyring::Entry& entry);

// All "" of a null request.
RequestFacts facts_of(X509_REQ* request);

// An entry of a keyring and its certificate as a JSON object; of one that waits for its
// certificate what is known.
Object to_object(const keyring::Entry& entry);
Object to_object(const keyring::Requested& requested);

}  // namespace gaiter::cli
