// The tokens of a policy's text, each with its line.
#pragma once

#include <string_view>

namespace gaiter::policy {

// `kind` is one of these, or, for punctuation, the character itself.
struct Token {
  static constexpr char word = 'w';
  static constexpr char number = 'n';
  static constexpr char string = 's';
  static constexpr char include = 'i';
  static constexpr char end = 'e';
  static constexpr char mistake = 'm';
  char kind;
  std::string_view text;  // as written, quotes included; of a mistake: what is wrong
  int line;
};

// Refers to the text, which must outlive it and its tokens. After a mistake or
// the end there is no further token.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  Token next();

 private:
  // Empty, or what is wrong with a comment.
  std::string_view skip_blanks_and_comments();
  Token string();
  Token number();
  Token nul() const;

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace gaiter::policy
