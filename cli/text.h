// Small change: blanks, letters, lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gaiter::cli {

inline constexpr std::string_view blanks = " \t\r\n\v\f";

std::string_view trimmed(std::string_view text);

// ASCII only, whatever the locale.
std::string lower_case(std::string_view text);

// The parts between any of `separators`; empty ones are left out.
std::vector<std::string_view> split(std::string_view text, std::string_view separators);

// With or without line ends; the last line need not have one.
std::vector<std::string_view> lines_of(std::string_view text);

}  // namespace gaiter::cli
