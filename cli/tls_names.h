// The names that others give to cipher suites, groups and signature algorithms, as
// Gaiter's policies write them: IANA's for suites and signatures, OpenSSL's for groups.
#pragma once

#include <string_view>

namespace gaiter::cli {

// From OpenSSL's name, IANA's, or four hexadecimal digits as z/OS writes them
// ("C02F"). "" if Gaiter does not speak the suite: it is no AEAD with forward
// secrecy (RFC 9325, section 4.2).
std::string_view suite_name(std::string_view name);

// All that Gaiter speaks, of TLS 1.3 (RFC 8446, B.4) and of TLS 1.2.
inline constexpr std::string_view tls13_suites[] = {
    "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"};

inline constexpr std::string_view tls12_suites[] = {
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",       "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",       "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};

// From one of OpenSSL's or IANA's names, or z/OS's four decimal digits ("0023").
// "" if it is not known.
std::string_view group_name(std::string_view name);

// From IANA's name or z/OS's four hexadecimal digits ("0403", RFC 8446, 4.2.3).
std::string_view signature_name(std::string_view name);

}  // namespace gaiter::cli
