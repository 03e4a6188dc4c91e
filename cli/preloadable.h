// Whether a program can be given libgaiter.so, found out before it is started:
// a preload that the loader silently ignores would leave it in the clear.
#pragma once

#include <expected>
#include <string>

namespace gaiter::cli {

// Why a program is not started: the exit code (gaiter(1)) and a full sentence.
struct Refusal {
  int exit_code;
  std::string message;
};

// Finds `program` as execvp(3) does and follows its interpreters (`#!`, and
// env(1) in one) down to an ELF file, which must be for this machine, be linked
// dynamically with this C library's loader, and not run in secure-execution mode
// (ld.so(8)).
struct Preloadable {
  std::string path;    // to execute
  std::string binary;  // the ELF file that runs then: the program, or its interpreter
};
std::expected<Preloadable, Refusal> find_preloadable(const std::string& program);

}  // namespace gaiter::cli
