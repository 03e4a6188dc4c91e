// The environment that a new program image gets: a program that cleans it does not
// thereby take the protection off its children.
#pragma once

#include <cstddef>

namespace gaiter::shim::exec_environment {

// Copies what this process was started with: LD_PRELOAD and GAITER_*. Once, at
// start; in secure-execution mode nothing is kept.
void start();

// How many pointers complete() needs for `environment`, with the closing nullptr;
// 0 if nothing is missing and `environment` can be used as it is.
size_t size_needed(char* const* environment);

// Fills `out` with `environment` and what it lacks. No allocation: for use between
// vfork and exec.
void complete(char* const* environment, char** out);

}  // namespace gaiter::shim::exec_environment
