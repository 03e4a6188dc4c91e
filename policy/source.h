// From a Source to the texts that make up its policy.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace gaiter::policy {

// What a document is called that came from Source::text.
inline constexpr std::string_view text_name = "GAITER_POLICY_TEXT";

struct Document {
  std::string name;      // as errors show it: a path, or "GAITER_POLICY_TEXT"
  std::string basename;  // "6379.conf"; "" for GAITER_POLICY_TEXT
  std::string text;
  uint16_t port = 0;  // of a <port>.conf; 0 = gaiter.conf syntax
};

// The source's documents in the order in which their rules count: the text,
// gaiter.conf, then the ports in ascending order. What cannot be read is left
// out and added to `errors`.
std::vector<Document> read_documents(const Source& source, std::vector<Error>& errors);

// The port that a policy file's name stands for: 6379 for "6379.conf". The error
// is what is wrong with the name.
std::expected<uint16_t, std::string> port_of(std::string_view basename);

}  // namespace gaiter::policy
