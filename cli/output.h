// What the command prints: messages, tables, JSON; and its exit codes.
//
// Results go to standard output, everything said to a person beside them to
// standard error. Text that came from a certificate or a file passes through
// printable() first, so that it cannot steer a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/text.h"

namespace gaiter::cli {

// Exit codes of the command, as --help and gaiter(1) promise them.
enum Exit : int {
  exit_ok = 0,
  exit_attention = 1,         // check: warnings; keyring: no such label
  exit_refused = 2,           // wrong usage, or refused with a reason
  exit_not_executable = 126,  // run: as env(1)
  exit_no_program = 127,
};

// "gaiter: MESSAGE" as one line on standard error.
void say(std::string_view message);

// `text` as it is on standard output.
void print(std::string_view text);

// Text of others goes through this.
using base::printable;

// A JSON value and an object whose members keep their order.
struct Member;
using Object = std::vector<Member>;
struct Value : std::variant<bool, int64_t, std::string, std::vector<std::string>, Object,
                            std::vector<Object>> {
  using variant::variant;
};
struct Member {
  std::string name;
  Value value;
};
void print_json(const Value& value);

// Rows of cells in columns wide enough for their longest cell, two spaces apart.
// The first row is the header.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace gaiter::cli
