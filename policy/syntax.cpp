#include "policy/syntax.h"

#include <algorithm>
#include <vector>

#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

constexpr size_t max_depth = 16;
constexpr size_t max_keys = 100;  // of one group; libconfig's look-up is linear
constexpr size_t max_digits = 9;  // what always fits libconfig's int

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\n'; }

std::string on_line(int line) { return " (line " + std::to_string(line) + ")"; }

// A token; `kind` is the character itself for punctuation.
struct Token {
  static constexpr char word = 'w', number = 'n', string = 's', end = 'e', mistake = '!';
  char kind;
  std::string_view text;  // as written; of a mistake, what is wrong
  int line;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Token next() {
    const std::string_view wrong = skip_blanks_and_comments();
    if (!wrong.empty()) return {Token::mistake, wrong, line_};
    if (at_ == text_.size()) return {Token::end, "", line_};
    const size_t start = at_;
    const char c = text_[at_];
    if (c == '"') return string();
    if (text_.substr(at_).starts_with("@include")) {
      return {Token::mistake, "@include is not supported; rules may be spread over policy.d",
              line_};
    }
    if (is_letter(c)) {
      while (at_ < text_.size() && in_word(text_[at_])) at_++;
      return {Token::word, text_.substr(start, at_ - start), line_};
    }
    if (is_digit(c) || c == '+' || c == '-' || c == '.') return number();
    at_++;
    return {c, text_.substr(start, 1), line_};
  }

 private:
  static bool in_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; }

  // Empty, or what is wrong with a comment.
  std::string_view skip_blanks_and_comments() {
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

  Token string() {
    const size_t start = at_++;
    for (; at_ < text_.size() && text_[at_] != '\n'; at_++) {
      if (text_[at_] == '"') {
        at_++;
        return {Token::string, text_.substr(start, at_ - start), line_};
      }
      if (text_[at_] != '\\') continue;
      // libconfig would end the value there.
      if (text_.substr(at_).starts_with("\\x00"))
        return {Token::mistake, "a text must not contain the character \\x00", line_};
      if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') at_++;
    }
    return {Token::mistake, "the text that begins with \" is not closed on its line", line_};
  }

  Token number() {
    const size_t start = at_++;
    size_t digits = is_digit(text_[start]);
    while (at_ < text_.size() && (in_word(text_[at_]) || text_[at_] == '.' || text_[at_] == '+'))
      digits += is_digit(text_[at_++]);
    const std::string_view written = text_.substr(start, at_ - start);
    if (digits > max_digits) return {Token::mistake, "a number with too many digits", line_};
    return {Token::number, written, line_};
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

// An open bracket, and the keys seen in it.
struct Frame {
  char bracket;  // 0: the whole text
  int line;
  std::vector<Token> keys;
};

char closing(char bracket) { return bracket == '{' ? '}' : bracket == '[' ? ']' : ')'; }

class Checker {
 public:
  explicit Checker(std::string_view text) : scanner_(text) {}

  std::optional<SyntaxError> run() {
    frames_.push_back({0, 1, {}});
    Token token = scanner_.next();
    for (Token before = {';', "", 1}; !wrong_; before = token, token = scanner_.next()) {
      check(before, token);
      if (token.kind == Token::end) break;
    }
    return wrong_;
  }

 private:
  void check(const Token& before, const Token& token) {
    switch (token.kind) {
      case Token::mistake:
        return wrong(token, std::string(token.text));
      case Token::end:
        return end();
      case Token::word:
        return word(before, token);
      case Token::string:
        if (before.kind == Token::string) wrong(token, "a comma is missing before " + show(token));
        return;
      case '=':
      case ':':
        if (before.kind == Token::word) key(before);
        return;
      case '{':
      case '[':
      case '(':
        if (frames_.size() > max_depth) return wrong(token, "brackets are nested too deep");
        return frames_.push_back({token.kind, token.line, {}});
      case '}':
      case ']':
      case ')':
        return close(token);
    }
  }

  // A word is a key, or true or false; anything else wants to be text.
  void word(const Token& before, const Token& token) {
    const bool is_value =
        before.kind == '=' || before.kind == ':' || before.kind == '[' || before.kind == '(' ||
        (before.kind == ',' && frames_.back().bracket != '{' && frames_.back().bracket != 0);
    if (!is_value || edit_distance(token.text, "true") == 0 ||
        edit_distance(token.text, "false") == 0)
      return;
    wrong(token, std::string(token.text) + ": text must stand in quotes: \"" +
                     std::string(token.text) + "\"");
  }

  void key(const Token& name) {
    std::vector<Token>& keys = frames_.back().keys;
    for (const Token& earlier : keys)
      if (earlier.text == name.text)
        return wrong(name, std::string(name.text) + ": set twice; the first is on line " +
                               std::to_string(earlier.line));
    if (keys.size() == max_keys) return wrong(name, "too many keys in one group");
    keys.push_back(name);
  }

  void close(const Token& token) {
    const Frame& frame = frames_.back();
    if (frame.bracket == 0)
      return wrong(token, std::string("nothing is open that this ") + token.kind + " could close");
    if (token.kind != closing(frame.bracket))
      return wrong(token, std::string("found ") + token.kind + " where " + closing(frame.bracket) +
                              " must close the " + frame.bracket + on_line(frame.line));
    frames_.pop_back();
  }

  void end() {
    const Frame& frame = frames_.back();
    if (frame.bracket != 0)
      wrong_ = {frame.line, std::string("the ") + frame.bracket +
                                " that is opened here is never closed with " +
                                closing(frame.bracket)};
  }

  std::string show(const Token& token) { return std::string(token.text); }

  void wrong(const Token& token, std::string message) { wrong_ = {token.line, std::move(message)}; }

  Scanner scanner_;
  std::vector<Frame> frames_;
  std::optional<SyntaxError> wrong_;
};

std::string_view line_of(std::string_view text, int line) {
  for (; line > 1 && text.find('\n') != std::string_view::npos; line--)
    text.remove_prefix(text.find('\n') + 1);
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// libconfig's error in words; what is left to it are words in the wrong order.
SyntaxError explain(const config_t& tree, std::string_view text) {
  const std::string_view what = config_error_text(&tree) ? config_error_text(&tree) : "";
  const int line = config_error_line(&tree);
  if (what == "mismatched element type in array")
    return {line, "an array [ ... ] holds values of one type; a list ( ... ) may mix them"};
  const std::string_view written = line_of(text, line);
  if (what != "syntax error") return {line, std::string(what)};
  return {line, "syntax error at " + (written.empty() ? "the end" : quote(written)) +
                    "; expected: key = value;"};
}

}  // namespace

void TreeDeleter::operator()(config_t* tree) const {
  config_destroy(tree);
  delete tree;
}

std::optional<SyntaxError> find_mistake(std::string_view text) {
  const size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    const auto before = text.substr(0, nul);
    return SyntaxError{1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
                       "a NUL byte: this is not a text file"};
  }
  return Checker(text).run();
}

std::expected<Tree, SyntaxError> parse(const std::string& text) {
  if (auto mistake = find_mistake(text)) return std::unexpected(std::move(*mistake));
  Tree tree(new config_t);
  config_init(tree.get());
  if (config_read_string(tree.get(), text.c_str()) != CONFIG_TRUE)
    return std::unexpected(explain(*tree, text));
  return tree;
}

}  // namespace gaiter::policy
