// `gaiter check --program`: whether a program can be protected, which of its calls
// Gaiter stands in front of, and what it might do past them.
#pragma once

#include <string>

namespace gaiter::cli {

struct ProgramCheckOptions {
  std::string program;  // found as `gaiter run` finds it
  bool json = false;
};

// Exit codes: 0 every call that matters is covered; 1 something may go past; 2 the
// program cannot be protected; 126 and 127 as `gaiter run`.
int check_program(const ProgramCheckOptions& options);

}  // namespace gaiter::cli
