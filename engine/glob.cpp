#include "engine/glob.h"

#include <algorithm>

namespace gaiter::engine {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; }

}  // namespace

Glob::Glob(std::string_view pattern, Letters letters, char barrier)
    : letters_(letters), barrier_(barrier) {
  for (size_t star; (star = pattern.find('*')) != std::string_view::npos;
       pattern.remove_prefix(star + 1))
    pieces_.emplace_back(pattern.substr(0, star));
  pieces_.emplace_back(pattern);
}

Glob& Glob::open_ended() {
  open_ended_ = pieces_.size() != 1 && pieces_.back().empty();
  return *this;
}

bool Glob::same(char one, char other) const {
  return letters_ == Letters::any_case ? lower(one) == lower(other) : one == other;
}

bool Glob::begins(std::string_view text, std::string_view piece) const {
  return text.size() >= piece.size() &&
         std::equal(piece.begin(), piece.end(), text.begin(),
                    [this](char one, char other) { return same(one, other); });
}

bool Glob::may_skip(std::string_view text) const {
  return text.find(barrier_) == std::string_view::npos;
}

// The first place for each piece is as good as any later one: what a star may not
// pass behind the first place, it could not pass on the way to the later one either.
bool Glob::matches(std::string_view text) const {
  if (!begins(text, pieces_.front())) return false;
  text.remove_prefix(pieces_.front().size());
  if (pieces_.size() == 1) return text.empty();
  for (size_t i = 1; i + 1 < pieces_.size(); ++i) {
    size_t at = 0;
    while (at <= text.size() && !begins(text.substr(at), pieces_[i])) ++at;
    if (at > text.size() || !may_skip(text.substr(0, at))) return false;
    text.remove_prefix(at + pieces_[i].size());
  }
  const std::string& last = pieces_.back();
  if (text.size() < last.size()) return false;
  const size_t gap = text.size() - last.size();
  return begins(text.substr(gap), last) && (open_ended_ || may_skip(text.substr(0, gap)));
}

}  // namespace gaiter::engine
