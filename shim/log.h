// The log: one line per refused connection, one per secured one at level info.
//
// GAITER_LOG = LEVEL[:PLACE]; LEVEL error, warning, notice (default), info or debug;
// PLACE stderr (default), syslog, or the absolute path of a file. Lines are
// formatted on the stack and written by one write(2); no stdio, no allocation,
// no descriptor kept open. Never holds payload or keys. Whatever the place is, a call
// of the program's does not wait for it: a line for which there is no room is lost.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string_view>

namespace gaiter::shim::log {

enum class Level : uint8_t { error, warning, notice, info, debug };

// Reads GAITER_LOG and remembers which file descriptor 2 is. Once, at start.
void start();

// Of a word in GAITER_LOG that means nothing: once a process that has TCP sockets.
void say_what_is_wrong();

bool wanted(Level level);

// The effective user of the process is another one: whom the way to the log file may belong to.
void user_changed();

// Descriptor 2 was replaced on purpose (dup2 onto it).
void standard_error_moved();

// Writes one line, "gaiter[PID] warning: ..." before it. What cannot be
// shown (base/text.h) is replaced, so that a peer cannot forge lines.
void write_line(Level level, fmt::string_view format, fmt::format_args arguments);

template <class... Arguments>
void line(Level level, fmt::format_string<Arguments...> format, const Arguments&... arguments) {
  if (wanted(level)) write_line(level, format, fmt::make_format_args(arguments...));
}

}  // namespace gaiter::shim::log
