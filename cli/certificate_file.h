// Files that other programs' configurations name.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace gaiter::cli {

// The whole of a file of at most 1 MiB; the error is what to say of it: "cannot
// read FILE: Permission denied".
std::expected<std::string, std::string> read_file(const std::string& path);

// SHA-256 of each certificate in a PEM file, in hexadecimal.
std::expected<std::vector<std::string>, std::string> fingerprints_of_file(const std::string& path);

}  // namespace gaiter::cli
