// The environment as the process was started with: a program that cleans its own
// does not thereby take the protection off itself, nor off its children. Nor does one
// that puts another library before Gaiter into LD_PRELOAD (preload_order.h).
#pragma once

#include <cstddef>

namespace gaiter::shim::exec_environment {

// Copies what this process was started with: LD_PRELOAD and GAITER_*. Once, at
// start; in secure-execution mode nothing is kept.
void start();

// One of GAITER_* as it was then; nullptr if it was not there, or in
// secure-execution mode. Before start() the environment itself is asked.
const char* value_at_start(const char* name);

// How many bytes write_preload() needs; 0 if LD_PRELOAD in `environment` is right as it is.
size_t preload_room(char* const* environment);
// "LD_PRELOAD=..." as the new image must have it, in `room`, which it returns; nullptr for
// no room: nothing is to be changed.
char* write_preload(char* const* environment, char* room);

// How many pointers complete() needs for `environment`, with the closing nullptr;
// 0 if nothing is missing and `environment` can be used as it is. `preload` is from
// write_preload(), `relayed` from RelayEnd::write_environment(); both may be nullptr.
size_t size_needed(char* const* environment, const char* preload, const char* relayed);

// Fills `out` with `environment`, what it lacks, `preload` and `relayed`. No allocation: for
// use between vfork and exec.
void complete(char* const* environment, char* preload, char* relayed, char** out);

// Fills `out`, which has room for count(environment) pointers, with all of it but LD_PRELOAD.
size_t count(char* const* environment);  // with the closing nullptr
void drop_preload(char* const* environment, char** out);

// Puts what it lacks into the environment of the program itself: libc gives that, and no
// other, to the shells that it starts (system(3), popen(3), wordexp(3)). Allocates.
void complete_own();

}  // namespace gaiter::shim::exec_environment
