// Names of peers: the one that a server's certificate must have (RFC 6125), the
// one sent as SNI (RFC 6066 3), and how a certificate is called in a log line.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gaiter::engine {

struct ServerName {
  enum class Kind { none, dns, ip };
  Kind kind = Kind::none;
  std::string text;  // without final dot, brackets or scope
};

ServerName parse_server_name(std::string_view name);

// Makes `ssl` accept only certificates for `name`: by subject alternative name,
// never by common name; a wildcard stands for one whole label. False if no
// certificate can have that name (also if it is none).
[[nodiscard]] bool require_name(SSL* ssl, const ServerName& name);

// The same of a certificate that is there.
bool has_name(const X509* certificate, const ServerName& name);

// A DNS name goes out as SNI, nothing else does. False if it is no valid one.
[[nodiscard]] bool send_name(SSL* ssl, const ServerName& name);

// base::printable(), of at most 128 bytes, as all that follows.
std::string printable(std::string_view text);

// "00ff..."
std::string hex(std::span<const uint8_t> bytes);

// The first subject alternative name, else the subject.
std::string describe_peer(const X509* certificate);

// "CN=redis,O=Example" (RFC 2253).
std::string describe_subject(const X509* certificate);

// Every DNS name and address, "a.example, 10.0.0.5"; cut with "..." when long;
// "" if there is none.
std::string describe_names(const X509* certificate);

// A name as text; "" for kinds that are not shown.
std::string alternative_text(const GENERAL_NAME* name);

// All that a policy can call it by, and what a policy's string then holds: "dns:a.example",
// "uri:spiffe://prod/web", ..., "subject:CN=web" last; its fingerprint if it has no
// name that can be said. At most 16 (names_as_patterns.cpp).
std::vector<std::string> names_as_patterns(const X509* certificate);
// The first of them without a backslash, which a value in quotes shows twice.
std::string pattern_without_escapes(const X509* certificate);

}  // namespace gaiter::engine
