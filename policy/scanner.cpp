#include "policy/scanner.h"

#include <algorithm>
#include <charconv>

namespace gaiter::policy {
namespace {

constexpr size_t max_digits = 18;  // what always fits 64 bits

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\n'; }
bool in_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; }

// 10, -5, 0x1F, 10L, 0.5, .5, 5e3
bool is_number(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    return !text.empty() &&
           text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  }
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !(is_digit(text[0]) || text[0] == '.')) return false;
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == text.size() || text.substr(digits) == "L" || text.substr(digits) == "LL")
    return true;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return stopped == end && error != std::errc::invalid_argument;
}

}  // namespace

Token Scanner::next() {
  const std::string_view wrong = skip_blanks_and_comments();
  if (!wrong.empty()) return {Token::mistake, wrong, line_};
  if (at_ == text_.size()) return {Token::end, "", line_};
  const char c = text_[at_];
  if (c == '\0') return nul();
  if (text_.substr(at_).starts_with("\xef\xbb\xbf"))
    return {Token::mistake, "a byte order mark: save the file as UTF-8 without it", line_};
  constexpr std::string_view include = "@include";
  if (text_.substr(at_).starts_with(include)) {
    at_ += include.size();
    return {Token::include, include, line_};
  }
  if (c == '"') return string();
  if (is_digit(c) || c == '+' || c == '-' || c == '.') return number();
  const size_t start = at_++;
  if (!is_letter(c)) return {c, text_.substr(start, 1), line_};
  while (at_ < text_.size() && in_word(text_[at_])) at_++;
  return {Token::word, text_.substr(start, at_ - start), line_};
}

std::string_view Scanner::skip_blanks_and_comments() {
  while (at_ < text_.size()) {
    const std::string_view rest = text_.substr(at_);
    if (is_blank(rest[0])) {
      line_ += rest[0] == '\n';
      at_++;
    } else if (rest[0] == '#' || rest.starts_with("//")) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (rest.starts_with("/*")) {
      const size_t end = rest.find("*/", 2);
      if (end == std::string_view::npos) return "the comment that begins here is never closed";
      line_ += static_cast<int>(std::count(rest.begin(), rest.begin() + end, '\n'));
      at_ += end + 2;
    } else {
      break;
    }
  }
  return "";
}

// Text ends on its line, or a forgotten quote would swallow those that follow.
Token Scanner::string() {
  const size_t start = at_++;
  for (; at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\0'; at_++) {
    if (text_[at_] == '"') {
      at_++;
      return {Token::string, text_.substr(start, at_ - start), line_};
    }
    if (text_[at_] != '\\') continue;
    // Whoever takes it as a C string would see less than an auditor.
    if (text_.substr(at_).starts_with("\\x00"))
      return {Token::mistake, "a text must not contain the character \\x00", line_};
    if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') at_++;
  }
  if (at_ < text_.size() && text_[at_] == '\0') return nul();
  return {Token::mistake, "the text that begins with \" is not closed on its line", line_};
}

Token Scanner::nul() const {
  return {Token::mistake, "a NUL byte: this is not a text file", line_};
}

Token Scanner::number() {
  const size_t start = at_++;
  size_t digits = is_digit(text_[start]);
  while (at_ < text_.size() && (in_word(text_[at_]) || text_[at_] == '.' || text_[at_] == '+'))
    digits += is_digit(text_[at_++]);
  const std::string_view written = text_.substr(start, at_ - start);
  if (!is_number(written))
    return {Token::mistake, "not a number, and text stands in quotes", line_};
  if (digits > max_digits) return {Token::mistake, "a number with too many digits", line_};
  return {Token::number, written, line_};
}

}  // namespace gaiter::policy
