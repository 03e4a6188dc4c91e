#include "policy/syntax.h"

#include <utility>
#include <vector>

#include "policy/scanner.h"
#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

constexpr size_t max_depth = 16;
constexpr size_t max_keys = 100;  // of one group; libconfig's look-up is linear

// An open bracket, and what has been seen in it.
struct Frame {
  char bracket;             // 0: the whole text
  int line;                 // of the bracket
  std::vector<Token> keys;  // of a group
  char type = 0;            // of an array's elements
  bool is_group() const { return bracket == 0 || bracket == '{'; }
};

char closing(char bracket) { return bracket == '{' ? '}' : bracket == '[' ? ']' : ')'; }

bool opens(char kind) { return kind == '{' || kind == '[' || kind == '('; }
bool closes(char kind) { return kind == '}' || kind == ']' || kind == ')'; }

bool is_bool(const Token& token) {
  return token.kind == Token::word &&
         (edit_distance(token.text, "true") == 0 || edit_distance(token.text, "false") == 0);
}

// What libconfig tells apart in an array.
char type_of(const Token& value) {
  if (value.kind != Token::number) return value.kind;
  if (value.text.ends_with('L')) return 'L';
  const bool hex = value.text.find_first_of("xX") != std::string_view::npos;
  return !hex && value.text.find_first_of(".eE") != std::string_view::npos ? 'f' : 'i';
}

// A token as a message shows it.
std::string show(const Token& token) {
  if (token.kind == Token::word || token.kind == Token::number) return plain(token.text);
  if (token.kind == Token::string) return quote(token.text.substr(1, token.text.size() - 2));
  return "'" + plain(token.text) + "'";
}

class Checker {
 public:
  explicit Checker(std::string_view text) : scanner_(text) {}

  std::optional<SyntaxError> run() {
    frames_.push_back({0, 1, {}});
    while (!wrong_ && !done_) {
      const Token token = scanner_.next();
      if (token.kind == Token::mistake) {
        wrong(token, std::string(token.text));
      } else if (token.kind == Token::end) {
        end(token);
      } else {
        (this->*expected_)(token);
      }
      before_ = token;
    }
    return std::move(wrong_);
  }

 private:
  // ---- what may come next: each state takes one token ----

  void key_or_close(const Token& token) {
    if (closes(token.kind)) return close(token);
    if (token.kind != Token::word) return wrong(token, "expected a key, found " + show(token));
    for (const Token& earlier : frames_.back().keys)
      if (earlier.text == token.text)
        return wrong(token, show(token) + ": set twice; the first is on line " +
                                std::to_string(earlier.line));
    if (frames_.back().keys.size() == max_keys) return wrong(token, "too many keys in one group");
    frames_.back().keys.push_back(token);
    expected_ = &Checker::assignment;
  }

  void assignment(const Token& token) {
    if (token.kind != '=' && token.kind != ':')
      return wrong(before_, show(before_) + ": expected = after it");
    expected_ = &Checker::value;
  }

  void value(const Token& token) {
    Frame& frame = frames_.back();
    const bool is_scalar =
        token.kind == Token::string || token.kind == Token::number || is_bool(token);
    if (token.kind == Token::word && !is_scalar)
      return wrong(token, show(token) + ": text must stand in quotes: " + quote(token.text));
    if (!is_scalar && !opens(token.kind))
      return wrong(token, "expected a value after " + show(before_) + ", found " + show(token));
    if (frame.bracket == '[') {
      if (!is_scalar) return wrong(token, "an array [ ] holds plain values only; use a list ( )");
      const char type = type_of(token);
      if (frame.type != 0 && frame.type != type)
        return wrong(token, "an array [ ] holds values of one type; a list ( ) may mix them");
      frame.type = type;
    }
    if (opens(token.kind)) return open(token);
    expected_ = &Checker::after_value;
  }

  void value_or_close(const Token& token) {
    if (closes(token.kind)) return close(token);
    value(token);
  }

  void after_value(const Token& token) {
    const bool in_group = frames_.back().is_group();
    if (token.kind == ',' || (in_group && token.kind == ';')) {
      expected_ = in_group ? &Checker::key_or_close : &Checker::value;
    } else if (closes(token.kind)) {
      close(token);
    } else if (in_group && token.kind == Token::word) {
      key_or_close(token);  // libconfig asks for no ; between settings
    } else {
      wrong(token, std::string("expected ") + (in_group ? ";" : ",") + " before " + show(token));
    }
  }

  // ---- brackets ----

  void open(const Token& token) {
    if (frames_.size() > max_depth) return wrong(token, "brackets are nested too deep");
    frames_.push_back({token.kind, token.line, {}});
    expected_ = token.kind == '{' ? &Checker::key_or_close : &Checker::value_or_close;
  }

  void close(const Token& token) {
    const Frame& frame = frames_.back();
    if (frame.bracket == 0)
      return wrong(token, std::string("nothing is open that this ") + token.kind + " could close");
    if (token.kind != closing(frame.bracket))
      return wrong(token, std::string("found ") + token.kind + " where " + closing(frame.bracket) +
                              " must close the " + frame.bracket + " of line " +
                              std::to_string(frame.line));
    frames_.pop_back();
    expected_ = &Checker::after_value;
  }

  void end(const Token& token) {
    done_ = true;
    const Frame& frame = frames_.back();
    if (frame.bracket != 0) {
      wrong_ = {frame.line, std::string("the ") + frame.bracket +
                                " that is opened here is never closed with " +
                                closing(frame.bracket)};
    } else if (expected_ == &Checker::assignment) {
      assignment(token);
    } else if (expected_ == &Checker::value) {
      wrong(before_, "expected a value after " + show(before_));
    }
  }

  void wrong(const Token& token, std::string message) { wrong_ = {token.line, std::move(message)}; }

  Scanner scanner_;
  void (Checker::*expected_)(const Token&) = &Checker::key_or_close;
  Token before_ = {Token::end, "", 1};
  std::vector<Frame> frames_;
  std::optional<SyntaxError> wrong_;
  bool done_ = false;
};

}  // namespace

void TreeDeleter::operator()(config_t* tree) const {
  config_destroy(tree);
  delete tree;
}

std::optional<SyntaxError> find_mistake(std::string_view text) { return Checker(text).run(); }

std::expected<Tree, SyntaxError> parse(const std::string& text) {
  if (auto mistake = find_mistake(text)) return std::unexpected(std::move(*mistake));
  Tree tree(new config_t);
  config_init(tree.get());
  // libconfig refuses a comment on a last line that does not end.
  if (config_read_string(tree.get(), (text + "\n").c_str()) != CONFIG_TRUE) {
    const char* what = config_error_text(tree.get());
    return std::unexpected(
        SyntaxError{config_error_line(tree.get()), what ? what : "not readable"});
  }
  return tree;
}

}  // namespace gaiter::policy
