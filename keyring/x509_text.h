// Parts of a certificate as text for messages. Nothing here makes it safe for a
// terminal: a name may hold any character.
#pragma once

#include <openssl/x509.h>

#include <string>

namespace gaiter::keyring {

// "CN=web,O=Example" (RFC 4514), UTF-8.
std::string name_text(const X509_NAME* name);

std::string subject_text(const X509* certificate);

// "2026-01-31T12:00:00Z"
std::string time_text(const ASN1_TIME* time);

}  // namespace gaiter::keyring
