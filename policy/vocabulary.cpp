#include "policy/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace gaiter::policy {
namespace {

constexpr size_t longest_word = 60;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

template <class T>
std::string_view text_of(std::span<const Word<T>> words, T value) {
  for (const Word<T>& word : words)
    if (word.value == value) return word.text;
  return "";
}

std::string join(std::span<const std::string_view> words, bool quoted) {
  std::string list;
  for (std::string_view word : words) {
    if (!list.empty()) list += ", ";
    list += quoted ? quote(word) : std::string(word);
  }
  return list;
}

std::string suggest(std::string_view word, std::span<const std::string_view> candidates,
                    bool quoted) {
  std::string_view near = nearest(word, candidates);
  if (near.empty()) return "valid here: " + join(candidates, quoted);
  return "did you mean " + (quoted ? quote(near) : std::string(near)) + "?";
}

}  // namespace

std::string_view to_string(Direction v) { return text_of<Direction>(direction_words, v); }
std::string_view to_string(Tls v) { return text_of<Tls>(tls_words, v); }
std::string_view to_string(Role v) { return text_of<Role>(role_words, v); }
std::string_view to_string(Mode v) { return text_of<Mode>(mode_words, v); }
std::string_view to_string(ClientAuth v) { return text_of<ClientAuth>(client_auth_words, v); }
std::string_view to_string(Verify v) { return text_of<Verify>(verify_words, v); }
std::string_view to_string(Profile v) { return text_of<Profile>(profile_words, v); }
std::string_view to_string(Version v) { return text_of<Version>(version_words, v); }
std::string_view to_string(Truncation v) { return text_of<Truncation>(truncation_words, v); }
std::string_view to_string(SniUnmatched v) { return text_of<SniUnmatched>(sni_unmatched_words, v); }
std::string_view to_string(Ocsp v) { return text_of<Ocsp>(ocsp_words, v); }
std::string_view to_string(Revocation v) { return text_of<Revocation>(revocation_words, v); }
std::string_view to_string(OnChange v) { return text_of<OnChange>(on_change_words, v); }
std::string_view to_string(Engine v) { return text_of<Engine>(engine_words, v); }
std::string_view to_string(Accelerator v) { return text_of<Accelerator>(accelerator_words, v); }
std::string_view to_string(PeerPattern::Kind v) {
  return text_of<PeerPattern::Kind>(peer_kind_words, v);
}
std::string_view to_string(Children v) { return text_of<Children>(children_words, v); }
std::string_view to_string(Unmatched v) { return text_of<Unmatched>(unmatched_words, v); }

std::string quote(std::string_view word) { return "\"" + plain(word) + "\""; }

std::string plain(std::string_view word) {
  constexpr char hex[] = "0123456789abcdef";
  std::string shown;
  for (char c : word.substr(0, longest_word)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      shown += "\\x";
      shown += hex[byte >> 4];
      shown += hex[byte & 15];
    } else {
      shown += c;
    }
  }
  return word.size() > longest_word ? shown + "..." : shown;
}

std::string shortest(double number) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, number).ptr);
}

// Optimal string alignment: Levenshtein's distance with swaps of neighbours.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) last[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, row);
  }
  return last[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  size_t best_distance = 0;
  for (std::string_view candidate : candidates) {
    // A third of the letters may be wrong; beyond that a guess misleads.
    const size_t allowed = std::max<size_t>(1, candidate.size() / 3);
    if (word.size() > candidate.size() + allowed) continue;
    const size_t distance = edit_distance(word, candidate);
    if (distance > allowed || (!best.empty() && distance >= best_distance)) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string suggest_key(std::string_view word, std::span<const std::string_view> candidates) {
  return suggest(word, candidates, false);
}

std::string suggest_value(std::string_view word, std::span<const std::string_view> candidates) {
  return suggest(word, candidates, true);
}

}  // namespace gaiter::policy
