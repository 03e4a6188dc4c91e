// Subject alternative names (RFC 5280 4.2.1.6) from text and back, and the name
// constraints that a CA puts on them (4.2.1.10).
#pragma once

#include <openssl/x509v3.h>

#include <string>
#include <string_view>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;
using NameConstraintsPtr = std::unique_ptr<NAME_CONSTRAINTS, OpenSslDeleter<NAME_CONSTRAINTS_free>>;

// What a certificate is for.
struct SubjectNames {
  std::vector<std::string> dns = {};     // "*" may be the first label
  std::vector<std::string> ip = {};      // IPv4 or IPv6 in text
  std::vector<std::string> uris = {};    // with a scheme: "spiffe://prod/web"
  std::vector<std::string> emails = {};  // "ops@example.org"

  bool empty() const { return dns.empty() && ip.empty() && uris.empty() && emails.empty(); }
};

// Kind::invalid names the one that is none. Null if there are no names.
Result<NamesPtr> general_names(const SubjectNames& names);

// Kind::invalid if a name could not stand in a certificate of ours: malformed, with
// control characters (NUL!), or empty. `whose` begins the message.
Result<void> check_names(const GENERAL_NAMES* names, const std::string& whose);

// "dns:redis.internal", "ip:10.0.0.1", "uri:...", "email:...", "directory:CN=...,O=...",
// "registered:1.2.3", "other:1.2.3=TEXT"; "other" alone if it is of a kind that has no text.
std::string alternative_name_text(const GENERAL_NAME* name);
// Whether that text says all of it, and can be read as it stands.
bool can_be_shown(const GENERAL_NAME* name);
std::vector<std::string> alternative_name_texts(const GENERAL_NAMES* names);

// Whether a certificate can stand for the name: letters, digits, `-`, `_` and
// dots, perhaps with `*` as the whole first label.
bool is_dns_name(std::string_view name);

// Why no verifier, or hardly one, would accept a certificate for a DNS name, in words; null if they
// do. It is OpenSSL's matcher that counts, which Gaiter uses: an address is none, a `*` needs two
// labels behind it, and no underscore, which many refuse anywhere (RFC 1123 2.1).
const char* why_unacceptable(std::string_view name);

// 4 or 16 bytes in network order; empty if `text` is no IP address.
std::vector<unsigned char> address_bytes(const std::string& text);

// Each is "dns:NAME" (the name and all below it), "ip:ADDRESS/BITS", "email:HOST" or
// "uri:HOST"; without a prefix an address or a DNS name. Null if both are empty.
Result<NameConstraintsPtr> name_constraints(const std::vector<std::string>& permitted,
                                            const std::vector<std::string>& excluded);

}  // namespace gaiter::keyring
