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
// Of a rule; `both` makes two of it.
enum class RuleDirection : uint8_t { inbound, outbound, both };
inline constexpr Word<RuleDirection> rule_direction_words[] = {
    {"inbound", RuleDirection::inbound},
    {"outbound", RuleDirection::outbound},
    {"both", RuleDirection::both}};
inline constexpr Word<Tls> tls_words[] = {{"required", Tls::required},
                                          {"optional", Tls::optional},
                                          {"off", Tls::off},
                                          {"block", Tls::block}};
inline constexpr Word<Role> role_words[] = {
    {"auto", Role::automatic}, {"server", Role::server}, {"client", Role::client}};
inline constexpr Word<Mode> mode_words[] = {{"enforce", Mode::enforce}, {"monitor", Mode::monitor}};
inline constexpr Word<ClientAuth> client_auth_words[] = {{"none", ClientAuth::none},
                                                         {"optional", ClientAuth::optional},
                                                         {"required", ClientAuth::required}};
inline constexpr Word<Verify> verify_words[] = {{"full", Verify::full},
                                                {"chain", Verify::chain},
                                                {"pinned", Verify::pinned},
                                                {"none", Verify::none}};
inline constexpr Word<Profile> profile_words[] = {
    {"modern", Profile::modern}, {"intermediate", Profile::intermediate}, {"fips", Profile::fips}};
inline constexpr Word<Version> version_words[] = {{"TLSv1.2", Version::tls12},
                                                  {"TLSv1.3", Version::tls13}};
inline constexpr Word<Truncation> truncation_words[] = {{"error", Truncation::error},
                                                        {"eof", Truncation::eof}};
inline constexpr Word<SniUnmatched> sni_unmatched_words[] = {{"default", SniUnmatched::use_default},
                                                             {"refuse", SniUnmatched::refuse}};
inline constexpr Word<Ocsp> ocsp_words[] = {{"auto", Ocsp::automatic}, {"off", Ocsp::off}};
inline constexpr Word<Revocation> revocation_words[] = {
    {"off", Revocation::off}, {"soft", Revocation::soft}, {"hard", Revocation::hard}};
inline constexpr Word<OnChange> on_change_words[] = {{"keep", OnChange::keep},
                                                     {"drain", OnChange::drain}};
inline constexpr Word<Engine> engine_words[] = {{"auto", Engine::automatic},
                                                {"kernel", Engine::kernel},
                                                {"ipsec-mb", Engine::ipsec_mb},
                                                {"openssl", Engine::openssl}};
inline constexpr Word<Accelerator> accelerator_words[] = {
    {"auto", Accelerator::automatic}, {"off", Accelerator::off}, {"require", Accelerator::require}};
inline constexpr Word<PeerPattern::Kind> peer_kind_words[] = {
    {"dns", PeerPattern::Kind::dns},
    {"uri", PeerPattern::Kind::uri},
    {"email", PeerPattern::Kind::email},
    {"ip", PeerPattern::Kind::ip},
    {"subject", PeerPattern::Kind::subject},
    {"issuer", PeerPattern::Kind::issuer},
    {"fingerprint", PeerPattern::Kind::fingerprint}};
inline constexpr Word<Unmatched> unmatched_words[] = {{"pass", Unmatched::pass},
                                                      {"block", Unmatched::block}};
inline constexpr Word<Children> children_words[] = {{"no-tcp", Children::no_tcp},
                                                    {"refuse", Children::refuse},
                                                    {"pass", Children::pass}};

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
