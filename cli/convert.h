// `gaiter policy convert`: another program's TLS configuration as a policy.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "cli/conversion.h"
#include "policy/policy.h"

namespace gaiter::cli {

struct ConvertOptions {
  std::string file;
  std::string from;  // "stunnel", "at-tls"; "" = told by what is in the file
};

// Prints the policy; 1 if something in the file has no counterpart.
int convert(const ConvertOptions& options);

// stunnel.conf(5): a rule for each service. The files that it names are looked at
// where a setting depends on what is in them, if they can be read.
std::expected<Conversion, policy::Error> convert_stunnel(std::string_view text,
                                                         const std::string& name);

// A policy file of z/OS's AT-TLS: a rule for each TTLSRule, in the order in which
// AT-TLS tries them.
std::expected<Conversion, policy::Error> convert_at_tls(std::string_view text,
                                                        const std::string& name);

}  // namespace gaiter::cli
