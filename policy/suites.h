// The names of what TLS negotiates: what Gaiter can do, and for all else why not.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/settings.h"

namespace gaiter::policy {

struct Suite {
  std::string_view name;  // the IANA's
  Version version;        // the one version that it is of
  bool fips;              // approved: AES-GCM
};

// AEAD suites with ephemeral keys. Nothing if there is no such suite.
const Suite* find_suite(std::string_view name);

// Why a suite is none of Gaiter's, and what would be right.
std::string why_no_suite(std::string_view name);

// By the name of OpenSSL or the IANA; the result is OpenSSL's. The error says
// what would be right.
std::expected<std::string_view, std::string> find_group(std::string_view name);
bool is_fips_group(std::string_view name);

// IANA names of SignatureScheme (RFC 8446, section 4.2.3).
std::expected<std::string_view, std::string> find_signature(std::string_view name);
bool is_fips_signature(std::string_view name);

// What profile = "fips" stands for.
std::vector<std::string> fips_suites();
std::vector<Group> fips_groups();
std::vector<std::string> fips_signatures();

}  // namespace gaiter::policy
