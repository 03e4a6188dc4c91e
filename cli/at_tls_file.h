// The policy files of z/OS's AT-TLS, as far as their grammar goes.
//
//   TTLSRule NAME
//   {
//     Direction            Inbound
//     LocalPortRangeRef    redis
//     TTLSGroupAction      { TTLSEnabled On }      # a statement within a statement
//   }
//
// One parameter a line, a value reaches to the end of its line, # begins a comment
// at the start of a line and after a blank. Keywords do not mind their case.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace gaiter::cli {

struct AtTlsStatement {
  std::string keyword;  // in lower case
  std::string written;  // the keyword as it stands in the file
  std::string value;    // of a statement with a body: its name, "" if it has none
  int line;
  bool has_body = false;
  std::vector<AtTlsStatement> body = {};
};

using AtTlsBody = std::vector<AtTlsStatement>;

class AtTlsFile {
 public:
  // `name` names the text in errors.
  static std::expected<AtTlsFile, policy::Error> parse(std::string_view text,
                                                       const std::string& name);

  const AtTlsBody& statements() const { return statements_; }

  // What `statement` leads to, references followed: itself, if it is a plain
  // parameter; else the parameters of its body, or of the statement that it names.
  std::expected<std::vector<const AtTlsStatement*>, policy::Error> parameters(
      const AtTlsStatement& statement) const;

 private:
  std::expected<const AtTlsStatement*, policy::Error> find(std::string_view keyword,
                                                           const AtTlsStatement& reference) const;
  std::expected<void, policy::Error> collect(const AtTlsStatement& statement, int depth,
                                             std::vector<const AtTlsStatement*>& found) const;

  std::string name_;
  AtTlsBody statements_;
};

}  // namespace gaiter::cli
