// The two halves of the library. Every program that is started under Gaiter gets
// the front, libgaiter.so: the hooks. The core, libgaiter-core.so beside it, holds
// policy, keyring, engine and OpenSSL, which would cost each exec half a
// millisecond of relocations; it is opened when a policy is first asked for.
//
// The front calls the core's functions by their own names (core_stubs.S). Objects
// cross the border: both halves come from one build, and share the program's malloc.
// Exceptions do not cross it.
#pragma once

#include <climits>

namespace gaiter::shim::core {

// Once, at start: remembers where the core is.
void start();

// Opens the core; true if it is there. Thread-safe; after the first success a load
// and a branch. Not for signal handlers or vfork children. Calls the dynamic loader:
// hold no lock that a library's constructor might want.
bool load();

// The path of the file `name` in the same folder; false if that is not known, or is too long.
bool beside(const char* name, char (&path)[PATH_MAX]);

// engine::before_fork() and its fellows, if the core is open.
void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

}  // namespace gaiter::shim::core
