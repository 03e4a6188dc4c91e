#include "policy/policy.h"

namespace gaiter::policy {

// FILE:LINE: as compilers do, so that editors can jump there.
std::string Error::text() const {
  std::string where = file;
  if (line > 0) where += ":" + std::to_string(line);
  return where.empty() ? message : where + ": " + message;
}

}  // namespace gaiter::policy
