// Values as a policy writes them (policy/GRAMMAR.md, Syntax).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gaiter::cli {

// "text", with what would end it or its line escaped.
std::string in_quotes(std::string_view text);

// ("a", 1): values, not yet quoted text. One of them by itself, if a list need not be.
std::string list_of(const std::vector<std::string>& values);
std::string one_or_list(const std::vector<std::string>& values);

// [ "a", "b" ]; a long one with a line for each, indented as a rule of rules = ( ).
std::string array_of(const std::vector<std::string>& texts);

// "6379" as a number, "6000-6100" and "redis" in quotes.
std::string port_value(std::string_view port);

}  // namespace gaiter::cli
