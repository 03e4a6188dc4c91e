// The words of a policy: every value by name, and what to say about a wrong word.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/policy.h"

namespace gaiter::policy {

template <class T>
struct Word {
  std::string_view text;
  T value;
};

inline constexpr Word<Direction> direction_words[] = {{"inbound", Direction::inbound},
                                                      {"outbound", Direction::outbound}};
inline constexpr Word<Tls> tls_words[] = {
    {"required", Tls::required}, {"off", Tls::off}, {"block", Tls::block}};
inline constexpr Word<ClientAuth> client_auth_words[] = {{"none", ClientAuth::none},
                                                         {"optional", ClientAuth::optional},
                                                         {"required", ClientAuth::required}};
inline constexpr Word<Verify> verify_words[] = {
    {"full", Verify::full}, {"chain", Verify::chain}, {"none", Verify::none}};
inline constexpr Word<MinVersion> min_version_words[] = {{"TLSv1.2", MinVersion::tls12},
                                                         {"TLSv1.3", MinVersion::tls13}};
inline constexpr Word<Truncation> truncation_words[] = {{"error", Truncation::error},
                                                        {"eof", Truncation::eof}};
inline constexpr Word<Unmatched> unmatched_words[] = {{"pass", Unmatched::pass},
                                                      {"block", Unmatched::block}};

// A word as a message shows it, fit for one line of a log: control characters as
// \xNN, long text cut short; with and without quotes.
std::string quote(std::string_view word);
std::string plain(std::string_view word);

// In as few digits as say it: "10", "0.5".
std::string shortest(double number);

// How many letters must be inserted, deleted, replaced or swapped with their
// neighbour to turn one word into the other; case does not count.
size_t edit_distance(std::string_view a, std::string_view b);

// The candidate that `word` was probably meant to be; "" if none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// "did you mean X?" if a candidate is near, else "valid here: X, Y, Z". Keys
// appear as they are, values in quotes.
std::string suggest_key(std::string_view word, std::span<const std::string_view> candidates);
std::string suggest_value(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace gaiter::policy
