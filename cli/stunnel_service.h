// One service of stunnel's on its way to a rule, in three steps: which connections
// (convert_stunnel.cpp), whose certificates, and what TLS.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/conversion.h"
#include "cli/stunnel_file.h"

namespace gaiter::cli {

// A service's options, over those that the file sets for all services. Refers to
// the file.
class StunnelOptions {
 public:
  StunnelOptions(const StunnelFile& file, const StunnelService& service)
      : file_(file), service_(service) {}

  const StunnelService& service() const { return service_; }

  // Every line of an option, the service's or else the file's.
  std::vector<const StunnelOption*> values(std::string_view name) const;

  // The line that counts, of an option that has one value; nullptr if there is none.
  const StunnelOption* last(std::string_view name) const;

  bool yes(std::string_view name) const;

 private:
  const StunnelFile& file_;
  const StunnelService& service_;
};

// The label of the service's own certificate, if it names one.
std::optional<std::string> stunnel_identity(const StunnelOptions& options, Conversion& conversion);

// Whom an inbound service lets in, and whom an outbound one believes.
void convert_stunnel_client_auth(const StunnelOptions& options, ConvertedRule& rule,
                                 Conversion& conversion);
void convert_stunnel_verify(const StunnelOptions& options, ConvertedRule& rule,
                            Conversion& conversion);

// Versions, suites, groups, sessions, times.
void convert_stunnel_tls(const StunnelOptions& options, ConvertedRule& rule,
                         Conversion& conversion);

}  // namespace gaiter::cli
