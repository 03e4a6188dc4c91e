#include "engine/expected_peer.h"

#include <algorithm>

#include "engine/peer_name.h"

namespace gaiter::engine {
namespace {

// In a log line; of the others it says how many.
constexpr size_t most_shown = 4;

std::string in_quotes(const std::string& name) { return '"' + printable(name) + '"'; }

// For a policy: the names if they are few, else what stands for them.
std::string as_patterns(const std::vector<std::string>& names) {
  std::vector<std::string> patterns;
  for (const std::string& name : names) {
    std::string pattern = name;
    if (const size_t dot = name.find('.'); names.size() > most_shown && dot != std::string::npos)
      pattern = "*" + name.substr(dot);
    if (std::ranges::find(patterns, pattern) == patterns.end())
      patterns.push_back(std::move(pattern));
  }
  std::string text;
  for (size_t i = 0; i < std::min(patterns.size(), most_shown); ++i)
    text += (i == 0 ? "" : ", ") + in_quotes(patterns[i]);
  return text + (patterns.size() > most_shown ? ", ..." : "");
}

Failure ambiguous(const ExpectedPeer& peer, const std::string& why) {
  return {Cause::ambiguous_name,
          "the program looked up " + describe(peer) +
              " for this address, and nothing tells which of them it means now: " + why,
          "set server_name in the policy to the name that is meant, or, if it is one server that "
          "stands behind these names, interchangeable = [ " +
              as_patterns(peer.names) + " ]"};
}

}  // namespace

std::string key_of(const ExpectedPeer& peer) {
  if (!peer.is_ambiguous() && peer.names.size() == 1 && peer.names.front() == peer.sent)
    return peer.sent;
  std::vector<std::string> names = peer.names;
  std::ranges::sort(names);
  std::string key = peer.sent + '\0' + (peer.others ? '+' : '=');
  for (const std::string& name : names) key += name + '\0';
  return key;
}

std::string describe(const ExpectedPeer& peer) {
  if (!peer.is_ambiguous()) return peer.names.empty() ? "" : peer.names.front();
  const size_t shown = std::min(peer.names.size(), most_shown);
  const size_t hidden = peer.names.size() - shown;
  std::string text;
  for (size_t i = 0; i < shown; ++i) {
    const bool last = i + 1 == shown && hidden == 0 && !peer.others;
    text += (i == 0 ? "" : last ? " and " : ", ") + in_quotes(peer.names[i]);
  }
  if (hidden != 0) text += " and " + std::to_string(hidden) + (hidden == 1 ? " other" : " others");
  if (peer.others) text += text.empty() ? "names" : " and more";
  return text;
}

std::optional<Failure> lacks_a_name(const X509* certificate, const ExpectedPeer& peer) {
  if (auto unknown = unknown_names(peer)) return unknown;
  for (const std::string& name : peer.names) {
    if (has_name(certificate, parse_server_name(name))) continue;
    const std::string names = describe_names(certificate);
    return ambiguous(peer, "the server's certificate is for " +
                               (names.empty() ? "no DNS name or address at all" : names) +
                               ", not for " + in_quotes(name));
  }
  return std::nullopt;
}

std::optional<Failure> unknown_names(const ExpectedPeer& peer) {
  if (!peer.others) return std::nullopt;
  return ambiguous(peer, "more names than there was room for led to it");
}

}  // namespace gaiter::engine
