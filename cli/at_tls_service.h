// The actions of a TTLSRule, and the settings that they become.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "cli/at_tls_file.h"
#include "cli/conversion.h"

namespace gaiter::cli {

// The parameters of a rule's actions. Of narrower scope wins: connection,
// environment, group.
class AtTlsActions {
 public:
  static std::expected<AtTlsActions, policy::Error> of(const AtTlsFile& file,
                                                       const AtTlsStatement& rule,
                                                       const std::string& file_name);

  // Every line of a parameter, of the narrowest scope that has it.
  std::vector<const AtTlsStatement*> values(std::string_view keyword) const;

  // The line that counts; nullptr if there is none.
  const AtTlsStatement* last(std::string_view keyword) const;

  // Whether it has this value, in whatever case.
  bool is(std::string_view keyword, std::string_view value) const;

  std::vector<const AtTlsStatement*> all() const;

 private:
  std::vector<const AtTlsStatement*> scopes_[3];
};

void convert_at_tls_actions(const AtTlsActions& actions, std::string_view direction,
                            ConvertedRule& rule, Conversion& conversion);

}  // namespace gaiter::cli
