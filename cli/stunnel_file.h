// stunnel.conf(5), as far as its grammar goes: services and their options.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace gaiter::cli {

struct StunnelOption {
  std::string name;     // in lower case, for stunnel does not mind
  std::string written;  // as it stands in the file
  std::string value;
  int line;
};

struct StunnelService {
  std::string name;
  int line;
  std::vector<StunnelOption> options;
};

struct StunnelFile {
  std::vector<StunnelOption> global;  // before the first [service]: what holds for all
  std::vector<StunnelService> services;
};

// `name` names the text in the error.
std::expected<StunnelFile, policy::Error> parse_stunnel(std::string_view text,
                                                        const std::string& name);

}  // namespace gaiter::cli
